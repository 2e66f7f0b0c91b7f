"""`sma_cross`: two simple moving averages of the close cross."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.errors import StrategyError
from trading.strategies.answers import answers
from trading.strategies.base import VectorStrategy
from trading.strategies.parameters import Integer

_LARGEST_INT64 = 2**63 - 1


class SmaCross(VectorStrategy):
    """BUY 100 when SMA(fast) crosses above SMA(slow) at this close, SELL 100 when it crosses below.

    A cross: the difference was <= 0 (>= 0) at the candle before and is > 0 (< 0) now, in exact sums of
    ticks. Anything else is HOLD without an opinion.
    """

    fast = Integer(20, low=1, high=10_000, doc="candles of the fast average")
    slow = Integer(50, low=2, high=10_000, doc="candles of the slow average")

    def check(self) -> None:
        if self.fast >= self.slow:
            raise StrategyError(f"parameter 'fast': {self.fast} is not under slow, which is {self.slow}")

    @property
    def warmup_candles(self) -> int:
        return self.slow + 1

    @property
    def memory_candles(self) -> int:
        return self.slow + 1

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        gap = sma_gap(candles["close_ticks"].to_numpy(), self.fast, self.slow)
        up, down = np.zeros(candles.height, bool), np.zeros(candles.height, bool)
        up[self.slow :] = (gap[1:] > 0) & (gap[:-1] <= 0)
        down[self.slow :] = (gap[1:] < 0) & (gap[:-1] >= 0)
        fast, slow = f"SMA {self.fast}", f"SMA {self.slow}"
        return pl.DataFrame({"up": up, "down": down}).select(
            answers(
                pl.col("up"),
                pl.col("down"),
                pl.lit(100),
                f"{fast} crossed over {slow}",
                f"{fast} crossed under {slow}",
            )
        )


def sma_gap(ticks: NDArray[np.int64], fast: int, slow: int) -> NDArray[np.int64]:
    """(SMA(fast) - SMA(slow)) x fast x slow, exact: one value per row from row slow - 1 on."""
    if len(ticks) < slow:
        return np.zeros(1, np.int64)
    # The gap does not change when all prices move together; smaller numbers fit into 64 bits.
    ticks = ticks - ticks.min()
    if int(ticks.max()) * fast * slow >= _LARGEST_INT64:
        ticks = ticks.astype(object)
    sums = np.concatenate(([0], np.cumsum(ticks)))
    fast_sums, slow_sums = (sums[n:] - sums[:-n] for n in (fast, slow))
    gap: NDArray[np.int64] = fast_sums[slow - fast :] * slow - slow_sums * fast
    return gap
