"""`momentum`: what moved will move on."""

import polars as pl

from trading.strategies.answers import answers
from trading.strategies.base import VectorStrategy
from trading.strategies.indicators import rate_of_change, rounded
from trading.strategies.parameters import Integer, Number


class Momentum(VectorStrategy):
    """BUY while the close rose by more than `threshold_percent` over `window` candles, SELL while it fell so.

    Confidence: 50 at the threshold, 100 at twice the threshold and beyond, in whole percent. Anything
    else is HOLD without an opinion.
    """

    window = Integer(24, low=1, high=10_000, doc="candles over which the change is measured")
    threshold_percent = Number(2, low=0.001, high=1_000, doc="the smallest change that counts, in percent")

    @property
    def warmup_candles(self) -> int:
        return self.window + 1

    @property
    def memory_candles(self) -> int:
        return self.window + 1

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        change = pl.col("change")
        shown = pl.format(f"{{}} % over {self.window} candles", change.round(2))
        return candles.select(change=rounded(rate_of_change(pl.col("close_ticks"), self.window))).select(
            answers(
                change > self.threshold_percent,
                change < -self.threshold_percent,
                (50 * change.abs() / self.threshold_percent).round().clip(0, 100),
                shown,
                shown,
            )
        )
