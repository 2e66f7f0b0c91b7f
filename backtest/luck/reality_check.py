"""White's Reality Check: is the best of many trials better than the best of as many without skill?"""

import numpy as np
from msgspec import Struct

from backtest.luck.best_of_many import Floats, Histogram, histogram, probability_at_least, raised
from backtest.luck.deflated_sharpe import YEAR
from backtest.luck.resampling import chunk_sizes, mean_shrinkage, stationary_rows

RESAMPLES = 2_000
# A resample that misses a trial's few losses has next to no deviation, and any Sharpe ratio: it counts
# as at least this part of the trial's own, which a trial with returns on most days hardly ever is under.
_LEAST_DEVIATION = 0.75


class RealityCheck(Struct, frozen=True):
    """The probability that the best of all trials would show this Sharpe ratio (a year) without skill."""

    probability: float
    sharpe: float
    null_best_sharpes: Histogram


def reality_check(
    returns: Floats, best: int, trials: int, seed: int, resamples: int = RESAMPLES
) -> RealityCheck:
    """The Reality Check for data snooping (White 2000), on studentised means as Hansen (2005) advises.

    `returns` are daily (days x trials), each column of which varies; `best` is the chosen column, and
    `trials` says how many were made, of which these may be a sample. Each trial's returns less their
    mean have no skill; the best Sharpe ratio that they show in a resample is what luck gives. Days are
    drawn for all trials together, so that trials that resemble one another count as what they are.
    """
    days = len(returns)
    means, deviations = returns.mean(axis=0), returns.std(axis=0, ddof=1)
    observed = float(means[best] / deviations[best])
    centred = returns - means
    random = np.random.default_rng(seed)
    chunks = chunk_sizes(resamples, max(returns.shape))
    squared = centred**2
    bests = [_null_bests(centred, squared, deviations, _counts(random, count, days)) for count in chunks]
    null = raised(np.concatenate(bests), returns.shape[1], trials)
    return RealityCheck(probability_at_least(observed, null), observed * YEAR, histogram(null * YEAR))


def _counts(random: np.random.Generator, resamples: int, days: int) -> Floats:
    """How often each day is in each resample (resamples x days)."""
    rows = stationary_rows(random, resamples, days) + days * np.arange(resamples)[:, None]
    return np.bincount(rows.ravel(), minlength=resamples * days).reshape(resamples, days).astype(np.float64)


def _null_bests(centred: Floats, squared: Floats, deviations: Floats, counts: Floats) -> Floats:
    """The best Sharpe ratio of all trials in each resample."""
    days = len(centred)
    means = counts @ centred / days
    variances = (counts @ squared / days - means**2) * (days / (days - 1))
    spreads = np.maximum(np.sqrt(np.maximum(variances, 0)), _LEAST_DEVIATION * deviations)
    best: Floats = (means / spreads).max(axis=1) / mean_shrinkage(days)
    return best
