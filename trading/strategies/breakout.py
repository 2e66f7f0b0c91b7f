"""`breakout`: the close leaves the range of the candles before it (a Donchian channel)."""

import polars as pl

from trading.strategies.answers import answers
from trading.strategies.base import VectorStrategy
from trading.strategies.indicators import highest_before, lowest_before
from trading.strategies.parameters import Integer, Number


class Breakout(VectorStrategy):
    """BUY when the close is over every high of the `entry` candles before it, SELL when under every low
    of the `exit` candles before it; anything else is HOLD without an opinion.
    """

    entry = Integer(20, low=1, high=10_000, doc="candles whose highest high is broken")
    exit = Integer(10, low=1, high=10_000, doc="candles whose lowest low is broken")
    confidence = Number(75, low=0, high=100, doc="confidence of a signal, in percent")

    @property
    def warmup_candles(self) -> int:
        return max(self.entry, self.exit) + 1

    @property
    def memory_candles(self) -> int:
        return max(self.entry, self.exit) + 1

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        close = pl.col("close_ticks")
        return candles.select(
            answers(
                close > highest_before(pl.col("high_ticks"), self.entry),
                close < lowest_before(pl.col("low_ticks"), self.exit),
                pl.lit(self.confidence),
                f"close over the high of {self.entry} candles",
                f"close under the low of {self.exit} candles",
            )
        )
