"""`trend`: follow the direction of two exponential averages while the trend is strong."""

import polars as pl

from trading.errors import StrategyError
from trading.strategies.answers import answers
from trading.strategies.base import REASON_SEPARATOR, VectorStrategy
from trading.strategies.indicators import (
    SIGNIFICANT_DIGITS,
    adx,
    forget_candles,
    macd_line,
    settled,
    span_alpha,
)
from trading.strategies.parameters import Integer, Number


class Trend(VectorStrategy):
    """BUY while EMA(fast) is over EMA(slow) and ADX is at least `min_adx`, SELL while it is under.

    Confidence: 50 + (ADX - min_adx), in whole percent, at most 100. A weak trend is HOLD without an opinion.
    """

    fast = Integer(20, low=2, high=500, doc="candles of the fast average")
    slow = Integer(50, low=3, high=1_000, doc="candles of the slow average")
    adx_window = Integer(14, low=2, high=200, doc="candles of the average directional index")
    min_adx = Number(25, low=0, high=100, doc="the weakest trend that is followed")

    def check(self) -> None:
        if self.fast >= self.slow:
            raise StrategyError(f"parameter 'fast': {self.fast} is not under slow, which is {self.slow}")

    @property
    def warmup_candles(self) -> int:
        return max(self.slow, 2 * self.adx_window)

    @property
    def memory_candles(self) -> int:
        # The index averages an average: each forgets in its turn.
        return max(forget_candles(span_alpha(self.slow)), 2 * forget_candles(1 / self.adx_window))

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        high, low, close = pl.col("high_ticks"), pl.col("low_ticks"), pl.col("close_ticks")
        gap, strength = pl.col("gap"), pl.col("strength")
        strong = strength >= self.min_adx
        shown = pl.format("ADX {}", strength.round(1))
        fast, slow = f"EMA {self.fast}", f"EMA {self.slow}"
        return candles.select(
            gap=settled(macd_line(close, self.fast, self.slow), close),
            strength=adx(candles, high, low, close, self.adx_window).round_sig_figs(SIGNIFICANT_DIGITS),
        ).select(
            answers(
                strong & (gap > 0),
                strong & (gap < 0),
                (50 + strength - self.min_adx).round().clip(0, 100),
                pl.concat_str(pl.lit(f"{fast} over {slow}"), shown, separator=REASON_SEPARATOR),
                pl.concat_str(pl.lit(f"{fast} under {slow}"), shown, separator=REASON_SEPARATOR),
            )
        )
