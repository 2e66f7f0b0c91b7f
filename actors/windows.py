"""A strategy's view of one symbol: the last candles as a frame, grown as candles close."""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import polars as pl

from trading.candles import Candle
from trading.price_ticks import to_prices

_TICKS = ("open", "high", "low", "close")


class Window:
    """The newest candles of a symbol, at most `memory` before those being evaluated (None: all).

    `before` counts the candles of the symbol that have left the window.
    """

    def __init__(self, symbol: str, tick: Decimal, memory: int | None) -> None:
        self.symbol = symbol
        self.before = 0
        self._tick = tick
        self._memory = memory
        self.frame = self._frame([])

    def extend(self, closed: Iterable[tuple[int, Candle]]) -> int:
        """Append (open time, candle) rows; returns the row of the first new one."""
        if self._memory is not None and self.frame.height > self._memory:
            self.before += self.frame.height - self._memory
            self.frame = self.frame.tail(self._memory)
        first = self.frame.height
        self.frame = pl.concat([self.frame, self._frame(list(closed))], rechunk=True)
        return first

    def _frame(self, closed: list[tuple[int, Candle]]) -> pl.DataFrame:
        ticks = {
            name: np.array([getattr(candle, name) for _, candle in closed], dtype=np.int64) for name in _TICKS
        }
        times = pl.Series([time_ms for time_ms, _ in closed], dtype=pl.Int64)
        return pl.DataFrame(
            {
                "timestamp": times.cast(pl.Datetime("ms", "UTC")),
                **{name: to_prices(column, self._tick) for name, column in ticks.items()},
                "volume": pl.Series([candle.volume for _, candle in closed], dtype=pl.Float64),
                **{f"{name}_ticks": column for name, column in ticks.items()},
                "filled": pl.Series([candle.filled for _, candle in closed], dtype=pl.Boolean),
            }
        )
