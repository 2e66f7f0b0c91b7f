"""The market data actor: closes open times at the chosen speed and answers who asks for them."""

import asyncio
import os
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from actors.market_data.sources import CandleSource, ReplaySource, batch_after
from actors.ports import CandleBatch, Health


class SimulatedFeed(Struct, frozen=True, tag=True):
    """A simulated market: seed, symbols with their ticks, timeframe."""

    seed: int
    ticks: tuple[tuple[str, Decimal | None], ...]
    timeframe_ms: int


class ReplayFeed(Struct, frozen=True, tag=True):
    """Stored candles: (symbol, file, tick) in the order of the settings."""

    files: tuple[tuple[str, str, Decimal], ...]


class FeedSpec(Struct, frozen=True):
    """Where candles come from and how fast; open times up to `free_until_ms` are history."""

    source: SimulatedFeed | ReplayFeed
    free_until_ms: int
    candles_per_second: float | None = None


def make_source(source: SimulatedFeed | ReplayFeed) -> CandleSource:
    """The source that a spec describes. Raises CandleError for a file that is not good."""
    if isinstance(source, SimulatedFeed):
        from actors.market_data.simulated import SimulatedSource
        from trading.simulated_market import SimulatedMarket

        return SimulatedSource(
            [SimulatedMarket(symbol, source.seed, source.timeframe_ms, tick) for symbol, tick in source.ticks]
        )
    from trading.history import load_history

    return ReplaySource([load_history(symbol, Path(path), tick=tick) for symbol, path, tick in source.files])


class MarketData:
    """Serves one source, at its speed.

    Open times that are history are free at once, and so is the first one after them; each later one
    is released when its turn comes.
    Who asks for what follows an open time was there already, so a restart goes on from the newest
    question.
    """

    def __init__(
        self,
        feed: FeedSpec,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = make_source(feed.source)
        self._speed = feed.candles_per_second
        self._clock = clock
        self._base_rows = self._source.row_after(feed.free_until_ms) + 1
        self._base_time: float | None = None

    async def candles_after(self, open_time_ms: int, limit: int) -> CandleBatch:
        """At most `limit` open times after this one; waits until there is one or the end."""
        self._catch_up(self._source.row_after(open_time_ms))
        while True:
            released = self._released()
            batch = batch_after(self._source, open_time_ms, limit, released)
            if batch.closed or batch.ended or released is None:
                return batch
            await asyncio.sleep(self._seconds_until(released + 1))

    async def health(self) -> Health:
        """That it lives, and how many open times are released."""
        return Health("market_data", os.getpid(), facts={"released": self._released()})

    def _catch_up(self, seen_rows: int) -> None:
        """Start the clock at the first question, and again when somebody is further than it."""
        if self._base_time is None or seen_rows > (self._released() or seen_rows):
            self._base_rows = max(self._base_rows, seen_rows)
            self._base_time = self._clock()

    def _released(self) -> int | None:
        if self._speed is None:
            return None
        waited = self._clock() - self._base_time if self._base_time is not None else 0.0
        return self._base_rows + int(waited * self._speed)

    def _seconds_until(self, rows: int) -> float:
        """How long it is until so many rows are released."""
        assert self._speed is not None and self._base_time is not None
        due = self._base_time + (rows - self._base_rows) / self._speed
        return max(0.0, due - self._clock())
