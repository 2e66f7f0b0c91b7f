"""Daily candles and matrices of daily returns with and without skill, from a seed."""

from decimal import Decimal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.history import History
from trading.market import Market
from trading.price_ticks import to_prices
from trading.timeframe import DAY_MS

Floats = NDArray[np.float64]

START_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
TICK = Decimal("0.01")


def noise(days: int, trials: int, seed: int) -> Floats:
    """Returns of trials without skill, 1 % a day."""
    return 0.01 * np.random.default_rng(seed).standard_normal((days, trials))


def best_of(returns: Floats) -> int:
    """The column with the best Sharpe ratio."""
    return int((returns.mean(axis=0) / returns.std(axis=0)).argmax())


def random_moves(days: int, seed: int, echo: float = 0.0, drift: float = 0.0) -> Floats:
    """Daily logarithmic moves, 3 % a day; `echo` is the part of a day's move that the next one repeats."""
    shocks = 0.03 * np.random.default_rng(seed).standard_normal(days)
    moves = np.zeros(days)
    for day in range(1, days):
        moves[day] = echo * moves[day - 1] + shocks[day]
    return moves + drift


def history_of(moves: Floats, symbol: str = "BTC/USDT", first_day: int = 0) -> History:
    """Daily candles whose closes make these moves."""
    random = np.random.default_rng(len(moves))
    closes = np.maximum(1, np.rint(1_000_000 * np.exp(np.cumsum(moves)))).astype(np.int64)
    opens = np.concatenate([[1_000_000], closes[:-1]])
    wicks = random.integers(0, 2_000, (2, len(moves)))
    ticks = {
        "open": opens,
        "high": np.maximum(opens, closes) + wicks[0],
        "low": np.maximum(1, np.minimum(opens, closes) - wicks[1]),
        "close": closes,
    }
    times = START_MS + DAY_MS * (first_day + np.arange(len(moves)))
    candles = pl.DataFrame(
        {
            "timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")),
            **{name: to_prices(values, TICK) for name, values in ticks.items()},
            "volume": random.random(len(moves)),
            **{f"{name}_ticks": values for name, values in ticks.items()},
            "filled": np.zeros(len(moves), bool),
        }
    )
    return History(Market(symbol, TICK), DAY_MS, candles)
