"""Candles of a finer timeframe inside a strategy's candles: where orders fill and stops fire (rulebook 5).

A strategy candle in which somebody traded is traded in through the finer candles that traded inside it;
where the finer history has none, through the strategy candle itself.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trading.candles import Candle
from trading.errors import InputError
from trading.history import History
from trading.simulated_venue import Moment
from trading.timeframe import timeframe_name

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Traded:
    """Finer candles that traded, in order: which strategy candle each lies in (its place in what was asked),
    open, high, low and close in ticks (n, 4), and open times in ms."""

    candles: Ints
    ticks: Ints
    times_ms: Ints


@dataclass(frozen=True)
class Detail:
    """One symbol's finer history, in the strategy candles' ticks, and their timeframe in ms."""

    history: History
    timeframe_ms: int

    @cached_property
    def _real(self) -> tuple[Ints, Ints]:
        """Open times and ticks of the finer candles in which somebody traded."""
        real = self.history.candles.filter(~self.history.candles["filled"])
        names = ("open_ticks", "high_ticks", "low_ticks", "close_ticks")
        ticks = np.stack([real[name].to_numpy() for name in names], axis=1)
        return real["timestamp"].to_physical().to_numpy(), ticks

    def traded_in(self, open_times_ms: Ints) -> Traded:
        """The finer candles that traded inside strategy candles, given by their sorted open times."""
        times_ms, ticks = self._real
        place = np.searchsorted(open_times_ms, times_ms, side="right") - 1
        inside = (place >= 0) & (times_ms - open_times_ms[place] < self.timeframe_ms)
        return Traded(place[inside], ticks[inside], times_ms[inside])

    def moments(self, open_time_ms: int, candle: Candle) -> tuple[Moment, ...]:
        """What can be traded in during one strategy candle, in order."""
        own = (Moment(open_time_ms, candle),)
        if candle.filled:
            return own
        times_ms, ticks = self._real
        first, last = np.searchsorted(times_ms, (open_time_ms, open_time_ms + self.timeframe_ms)).tolist()
        inside = zip(times_ms[first:last].tolist(), ticks[first:last].tolist(), strict=True)
        finer = tuple(
            Moment(time_ms, Candle(candle.symbol, opened, high, low, close, 0.0))
            for time_ms, (opened, high, low, close) in inside
        )
        return finer or own

    def covered(self, history: History, first_row: int) -> float:
        """The part of the strategy's real candles from a row on that have finer candles inside, 0 to 1."""
        real = history.open_times_ms[first_row:][~history.candles["filled"].to_numpy()[first_row:]]
        return len(np.unique(self.traded_in(real).candles)) / len(real) if len(real) else 1.0


def detail_of(history: History, finer: History) -> Detail:
    """The detail of a history. Raises InputError when the finer one is not finer or does not fit into it."""
    symbol, length_ms, finer_ms = history.market.symbol, history.timeframe_ms, finer.timeframe_ms
    if finer_ms >= length_ms or length_ms % finer_ms:
        raise InputError(
            f"--detail {symbol}: its timeframe is {timeframe_name(finer_ms)}; it must be shorter than the "
            f"{timeframe_name(length_ms)} of --data and divide it"
        )
    if finer.market.tick != history.market.tick:
        raise InputError(f"--detail {symbol}: its tick differs from that of --data")
    return Detail(finer, length_ms)
