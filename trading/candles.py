"""Candles, what makes one bad, and what a hole in them leads to (rulebook 1)."""

import math

from msgspec import Struct

from trading.timeframe import iso, on_grid


class Candle(Struct, frozen=True, array_like=True):
    """One symbol's closed candle: prices in ticks, volume in base; `filled` where nobody traded."""

    symbol: str
    open: int
    high: int
    low: int
    close: int
    volume: float
    filled: bool = False


def fault(candle: Candle, open_time_ms: int, timeframe_ms: int) -> str | None:
    """Why a candle is bad, in words, or None when it is good."""
    if not on_grid(open_time_ms, timeframe_ms):
        return f"its open time {iso(open_time_ms)} is off the grid"
    if min(candle.open, candle.high, candle.low, candle.close) <= 0:
        return "a price is not positive"
    if not math.isfinite(candle.volume) or candle.volume < 0:
        return f"its volume {candle.volume} is negative or not finite"
    if candle.high < max(candle.open, candle.close):
        return "its high is under its open or close"
    if candle.low > min(candle.open, candle.close):
        return "its low is over its open or close"
    return None


def filled_candle(symbol: str, last_close: int) -> Candle:
    """The candle of an open time that has none: flat at the last close, without volume."""
    return Candle(symbol, last_close, last_close, last_close, last_close, 0.0, True)


class Holes(Struct):
    """Follows one symbol's holes: when one longer than the limit ends, entries wait.

    `missing` counts the filled candles of the hole that is open now; `real_since` the real candles
    closed since a long hole ended, or None when no long hole matters any more.
    """

    missing: int = 0
    real_since: int | None = None

    def see(self, filled: bool, max_gap_candles: int) -> None:
        """Count the next candle of the symbol."""
        if filled:
            self.missing += 1
            return
        if self.missing > max_gap_candles:
            self.real_since = 0
        self.missing = 0
        if self.real_since is not None:
            self.real_since += 1

    def recovering(self, warmup_candles: int) -> bool:
        """Whether too few real candles have closed since a long hole for the longest warm-up."""
        return self.real_since is not None and self.real_since < warmup_candles
