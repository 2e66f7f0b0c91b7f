"""`mean_reversion`: buy what fell far under its mean, sell what rose far over it."""

import polars as pl

from trading.strategies.answers import answers
from trading.strategies.base import REASON_SEPARATOR, VectorStrategy
from trading.strategies.indicators import forget_candles, rolling_deviation, rounded, rsi, sma
from trading.strategies.parameters import Integer, Number

_CLOSE = pl.col("close_ticks")


class MeanReversion(VectorStrategy):
    """BUY while the close is under the lower Bollinger band and RSI under `oversold`; SELL the mirror image.

    The bands are `deviations` standard deviations from the simple average; SELL wants a close over the
    upper band and RSI over 100 - oversold. Confidence: 60, and 20 more per deviation beyond the band, in
    whole percent, at most 100. Anything else is HOLD without an opinion.
    """

    window = Integer(20, low=2, high=200, doc="candles of the average and its bands")
    deviations = Number(2, low=0.1, high=10, doc="distance of the bands in standard deviations")
    rsi_window = Integer(14, low=2, high=200, doc="candles of the relative strength index")
    oversold = Number(35, low=1, high=50, doc="RSI under which to buy; over 100 less this, sell")

    @property
    def warmup_candles(self) -> int:
        return max(self.window, self.rsi_window + 1)

    @property
    def memory_candles(self) -> int:
        return max(self.window, forget_candles(1 / self.rsi_window))

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        distance, index = pl.col("distance"), pl.col("rsi")
        beyond = distance.abs() - self.deviations
        shown = pl.format("RSI {}", index.round(1))
        return (
            candles.select(
                rounded(rsi(_CLOSE, self.rsi_window)).alias("rsi"),
                _CLOSE,
                mean=sma(_CLOSE, self.window),
            )
            .with_columns(deviation=rolling_deviation(_CLOSE, pl.col("mean"), self.window))
            .select("rsi", distance=_distance())
            .select(
                answers(
                    (distance < -self.deviations) & (index < self.oversold),
                    (distance > self.deviations) & (index > 100 - self.oversold),
                    (60 + 20 * beyond).round().clip(0, 100),
                    pl.concat_str(pl.lit("close under its lower band"), shown, separator=REASON_SEPARATOR),
                    pl.concat_str(pl.lit("close over its upper band"), shown, separator=REASON_SEPARATOR),
                )
            )
        )


def _distance() -> pl.Expr:
    """The close's distance from its average in standard deviations; 0 where prices stand still."""
    deviation = pl.col("deviation")
    return rounded(pl.when(deviation > 0).then((_CLOSE - pl.col("mean")) / deviation).otherwise(0.0))
