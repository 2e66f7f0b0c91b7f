"""The live feed as an actor: killed, it serves again in time, and nothing is missing."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from actors import spawn
from actors.market_data.exchange.market import ExchangeMarket
from actors.market_data.exchange.spec import ExchangeFeed
from actors.ports import ActorLost
from tests.actors.market_data.feeds import BTC, ETH, MINUTE, TICK
from tests.support.exchange import ExchangeProcess

pytestmark = pytest.mark.usefixtures("cluster")

NAME = "market-data-of-a-test"
HISTORY = 40


def asked(method: str, *args: Any) -> Any:
    """The actor's answer, however often it has to be asked."""
    end = time.monotonic() + 60
    while True:
        try:
            return spawn.ask(NAME, method, *args, timeout_seconds=10.0)
        except ActorLost:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_feed_that_is_killed_serves_again_in_six_seconds(tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    first_open_ms = now_ms - now_ms % MINUTE
    with ExchangeProcess(tmp_path, now_ms=first_open_ms + 1_000) as exchange:
        exchange.call("add_history", HISTORY)
        feed = ExchangeFeed(
            "binanceus",
            exchange.ccxt_options(),
            ((BTC, TICK), (ETH, TICK)),
            MINUTE,
            first_open_ms - HISTORY * MINUTE,
            first_open_ms,
            folder=str(tmp_path),
        )
        spawn.spawn(ExchangeMarket, NAME, feed)
        try:
            before_ms = feed.anchor_ms - MINUTE
            first = asked("candles_after", before_ms, 1_000).closed
            assert len(first) == HISTORY
            process = asked("health").process
            exchange.call("close_candle", {BTC: "60100"})
            os.kill(process, signal.SIGKILL)
            killed = time.monotonic()
            (newest,) = asked("candles_after", first[-1].open_time_ms, 10).closed
            seconds = time.monotonic() - killed
            assert newest.candles[0].close == 6_010_000
            assert asked("candles_after", before_ms, HISTORY).closed == first
            assert asked("health").process != process
            assert seconds < 6.0
        finally:
            spawn.end_and_wait([NAME])
