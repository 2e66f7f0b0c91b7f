"""A replay through the real actors gives what the backtest gives, whatever dies meanwhile."""

import os
import signal
from pathlib import Path
from random import Random

import polars as pl
import pytest

from actors import refs, spawn
from actors.launch import RunningEngine
from actors.ports import ActorLost
from backtest.results import RunResult, equity_frame, trades_csv
from tests.data import shared_file
from tests.support.replays import backtested, plan, run_to_end, settings_with, simulated_file, stored

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.timeout(300)]
# The rows with three of the eight holes.
REAL_CANDLES = (1_000, 1_000)


def assert_same(replayed: RunResult, expected: RunResult) -> None:
    assert expected.figures.trades > 20
    assert trades_csv(replayed) == trades_csv(expected)
    assert equity_frame(replayed).equals(equity_frame(expected))
    assert replayed.records.outcomes == expected.records.outcomes
    assert replayed.figures == expected.figures


def test_replay_of_real_candles_equals_the_backtest(tmp_path: Path) -> None:
    path = tmp_path / "eth.parquet"
    table = pl.read_parquet(shared_file("ethusdt_binance_4h_2017-2023.parquet"))
    table.slice(*REAL_CANDLES).write_parquet(path)
    files = {"ETH/USDT": path}
    settings = settings_with()
    planned = plan(settings, files, tmp_path / "out")
    run_to_end(planned)
    assert_same(stored(planned), backtested(settings, files))


class Killer:
    """Kills a random actor's process every so many candles."""

    def __init__(self, kills: int, every: int) -> None:
        self.random = Random(5)
        self.left = kills
        self.every = self.next_at = every

    def __call__(self, engine: RunningEngine, candles: int) -> None:
        if not self.left or candles < self.next_at:
            return
        names = [refs.MARKET_DATA, refs.EXECUTION, refs.PERSISTENCE, refs.RISK, refs.strategy_name("cross")]
        name = self.random.choice(names)
        try:
            process = spawn.ask(name, "health", timeout_seconds=2).process
        except ActorLost:
            return
        os.kill(process, signal.SIGKILL)
        self.left -= 1
        self.next_at = candles + self.every


def test_replay_with_actors_killed_at_random_equals_the_backtest(tmp_path: Path) -> None:
    files = {"BTC/USDT": simulated_file(tmp_path, "BTC/USDT", 1_400)}
    settings = settings_with()
    planned = plan(settings, files, tmp_path / "out")
    killer = Killer(kills=6, every=150)
    run_to_end(planned, killer)
    assert killer.left == 0
    assert_same(stored(planned), backtested(settings, files))


def test_replay_of_two_symbols_stopped_and_started_again_equals_the_backtest(
    tmp_path: Path, database_url: str
) -> None:
    files = {symbol: simulated_file(tmp_path, symbol, 600) for symbol in ("ETH/USDT", "BTC/USDT")}
    settings = settings_with(database={"url": database_url})

    class Enough(Exception):
        pass

    def stop_early(_engine: RunningEngine, candles: int) -> None:
        if candles > 150:
            raise Enough

    with pytest.raises(Enough):
        run_to_end(plan(settings, files, tmp_path / "out"), stop_early)
    again = plan(settings, files, tmp_path / "out")
    run_to_end(again)
    assert_same(stored(again), backtested(settings, files))
