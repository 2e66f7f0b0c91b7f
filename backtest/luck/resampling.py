"""Other orders of the same returns: what final equity and drawdown might as well have been."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from backtest.luck.best_of_many import Floats

Rows = NDArray[np.int64]

PATHS = 1_000
QUANTILES_PERCENT = (5, 25, 50, 75, 95)
_SAMPLE_PATHS = 24
_MOST_STEPS = 120
_CHUNK_VALUES = 1_000_000


class Quantiles(Struct, frozen=True):
    """Under `q5` lie 5 % of the values, under `q25` 25 %, and so on."""

    q5: float
    q25: float
    q50: float
    q75: float
    q95: float


class Resampled(Struct, frozen=True):
    """Final equity and maximum drawdown of many resampled paths, and their curves for a fan chart.

    Equity is a multiple of the initial capital; `loss_probability` is the share of paths that end under
    it. `steps` says after how many days (or trades) the curves are given, 0 first; `fan_multiple` has one
    curve for each of `QUANTILES_PERCENT`, `sample_multiple` some of the paths.
    """

    paths: int
    final_equity_multiple: Quantiles
    max_drawdown_percent: Quantiles
    loss_probability: float
    steps: tuple[int, ...]
    fan_multiple: tuple[tuple[float, ...], ...]
    sample_multiple: tuple[tuple[float, ...], ...]


def shuffled_trades(trade_returns: Floats, seed: int, paths: int = PATHS) -> Resampled | None:
    """Monte Carlo over the order of the trades.

    `trade_returns` is each trade's realised profit as a fraction of the equity before it. Every order
    ends at the same equity, what it shows is the drawdown. None under two trades.
    """
    random = np.random.default_rng(seed)
    places = np.arange(len(trade_returns))
    return _resampled(
        trade_returns, paths, lambda count: random.permuted(np.tile(places, (count, 1)), axis=1)
    )


def block_bootstrap(daily_returns: Floats, seed: int, paths: int = PATHS) -> Resampled | None:
    """The stationary bootstrap of daily returns (Politis and Romano 1994). None under two days."""
    random = np.random.default_rng(seed)
    days = len(daily_returns)
    return _resampled(daily_returns, paths, lambda count: stationary_rows(random, count, days))


def stationary_rows(random: np.random.Generator, paths: int, days: int) -> Rows:
    """Which day stands where in each resampled path (paths x days).

    Blocks of geometrically distributed length begin anywhere and go round the end (Politis and Romano
    1994); their mean length is the cube root of the days, the order that Politis and White (2004) find.
    """
    begins = random.random((paths, days)) < 1 / _mean_block_days(days)
    begins[:, 0] = True
    places = np.arange(days)
    block = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    first = np.take_along_axis(random.integers(days, size=(paths, days)), block, axis=1)
    rows: Rows = (first + places - block) % days
    return rows


def mean_shrinkage(days: int) -> float:
    """The deviation of the mean of returns without memory in these resamples, over its true one; under 1.

    The square root of 1 - (2 L - 1) / n for n days and a mean block of L: Lemma 1 of Politis and Romano
    (1994), whose sample covariances are each 1 / n of the variance too low when the true ones are 0.
    """
    return math.sqrt(1 - (2 * _mean_block_days(days) - 1) / days)


def _mean_block_days(days: int) -> float:
    return float(max(1.0, days ** (1 / 3)))


def chunk_sizes(total: int, values_each: int) -> Iterator[int]:
    """So many items in chunks that hold about a million values each, at least one item."""
    size = max(1, _CHUNK_VALUES // max(1, values_each))
    for start in range(0, total, size):
        yield min(size, total - start)


def _resampled(returns: Floats, paths: int, orders: Callable[[int], Rows]) -> Resampled | None:
    if len(returns) < 2:
        return None
    steps = np.unique(np.linspace(0, len(returns), _MOST_STEPS).astype(np.int64))
    drawdowns, curves = [], []
    for count in chunk_sizes(paths, len(returns)):
        equity = np.ones((count, len(returns) + 1))
        np.cumprod(1 + returns[orders(count)], axis=1, out=equity[:, 1:])
        drawdowns.append((1 - equity / np.maximum.accumulate(equity, axis=1)).max(axis=1))
        curves.append(equity[:, steps])
    curve = np.concatenate(curves)
    return Resampled(
        paths=paths,
        final_equity_multiple=_quantiles(curve[:, -1]),
        max_drawdown_percent=_quantiles(100 * np.concatenate(drawdowns)),
        loss_probability=float(np.mean(curve[:, -1] < 1)),
        steps=tuple(steps.tolist()),
        fan_multiple=tuple(map(tuple, np.percentile(curve, QUANTILES_PERCENT, axis=0).tolist())),
        sample_multiple=tuple(map(tuple, curve[:_SAMPLE_PATHS].tolist())),
    )


def _quantiles(values: Floats) -> Quantiles:
    return Quantiles(*np.percentile(values, QUANTILES_PERCENT).tolist())
