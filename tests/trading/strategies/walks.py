"""Candles for the tests of strategies: seeded random walks with flat stretches, on whole ticks."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

TICK = 0.01
HOUR_MS = 3_600_000
START_MS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1000


def walk(
    rows: int, seed: int, *, start: int = 1_000_000, flat: Sequence[tuple[int, int]] = ()
) -> pl.DataFrame:
    """A random walk of candles; `flat` are pairs (first row, length) of filled candles."""
    rng = np.random.default_rng(seed)
    size = np.where(rng.random(rows) < 0.02, 20, 1) * start // 500
    moves = np.rint(rng.standard_normal(rows) * size).astype(np.int64)
    filled = np.zeros(rows, bool)
    for first, length in flat:
        filled[first : first + length] = True
    moves[filled] = 0
    closes = np.maximum(start + np.cumsum(moves), 1)
    return candles_of(closes, filled, rng)


def candles_of(
    closes: NDArray[np.int64], filled: NDArray[np.bool_], rng: np.random.Generator | None = None
) -> pl.DataFrame:
    """Candles around these closes (in ticks); filled ones are flat at the close before."""
    rng = np.random.default_rng(0) if rng is None else rng
    rows = len(closes)
    opens = np.concatenate((closes[:1], closes[:-1]))
    wick = np.where(filled, 0, rng.integers(0, 500, (2, rows)))
    highs, lows = np.maximum(opens, closes) + wick[0], np.maximum(1, np.minimum(opens, closes) - wick[1])
    ticks = {"open": opens, "high": highs, "low": lows, "close": closes}
    return pl.DataFrame(
        {
            "timestamp": pl.Series(START_MS + np.arange(rows) * HOUR_MS).cast(pl.Datetime("ms", "UTC")),
            **{name: values * TICK for name, values in ticks.items()},
            "volume": np.where(filled, 0.0, 1.0),
            **{f"{name}_ticks": values for name, values in ticks.items()},
            "filled": filled,
        }
    )
