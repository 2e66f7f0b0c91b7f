"""Probabilistic and deflated Sharpe ratio: is it over zero, over what the best of many shows by luck?

Sharpe ratios in this file are a day's (the yearly one over sqrt(365)), but for those of `DeflatedSharpe`.
"""

import math
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from backtest.luck.best_of_many import Floats
from trading.statistics import DAYS_A_YEAR

YEAR = math.sqrt(DAYS_A_YEAR)
_EULER_GAMMA = 0.5772156649015329
_NORMAL = NormalDist()


class DeflatedSharpe(Struct, frozen=True):
    """The best trial's Sharpe ratio a year, and how sure it is over zero and over the luck of many.

    `probabilistic_sharpe` and `deflated_sharpe` are probabilities from 0 to 1; `expected_best_sharpe`
    is what the best of `independent_trials` would show without skill, a year.
    """

    sharpe: float
    skew: float
    kurtosis: float
    probabilistic_sharpe: float
    independent_trials: float
    expected_best_sharpe: float
    deflated_sharpe: float


def deflated_sharpe(best: Floats, sharpes: Floats, independent: float) -> DeflatedSharpe:
    """The best trial's, after Bailey and Lopez de Prado 2014, "The Deflated Sharpe Ratio".

    `best` are its daily returns, which vary; `sharpes` the daily Sharpe ratios of all trials made, NaN
    without trades; `independent` is how many independent trials they are worth. Their variance is taken
    for luck's: where trials differ in skill it is larger, and the ratio is too strict.
    """
    sharpe = float(best.mean()) / float(best.std(ddof=1))
    centred = best - best.mean()
    variance = float(np.mean(centred**2))
    skew = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2
    finite = sharpes[np.isfinite(sharpes)]
    deviation = float(finite.std(ddof=1)) if finite.size > 1 else 0.0
    luck = deviation * expected_maximum(independent)
    return DeflatedSharpe(
        sharpe * YEAR,
        skew,
        kurtosis,
        probabilistic_sharpe(sharpe, 0, best.size, skew, kurtosis),
        independent,
        luck * YEAR,
        probabilistic_sharpe(sharpe, luck, best.size, skew, kurtosis),
    )


def probabilistic_sharpe(sharpe: float, benchmark: float, days: int, skew: float, kurtosis: float) -> float:
    """The probability that the true Sharpe ratio is over the benchmark.

    Z[(SR - SR*) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)]; the kurtosis of a normal
    distribution is 3 (Bailey and Lopez de Prado 2012, "The Sharpe Ratio Efficient Frontier").
    """
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    error = math.sqrt(max(variance, 1e-12) / (days - 1))
    return _NORMAL.cdf((sharpe - benchmark) / error)


def expected_maximum(trials: float) -> float:
    """The expected best of so many independent standard normal values; 0 for one.

    (1 - g) Z^-1[1 - 1/N] + g Z^-1[1 - 1/(N e)] with Euler's constant g (Bailey and Lopez de Prado 2014).
    """
    if trials <= 1:
        return 0.0
    first, second = (_NORMAL.inv_cdf(1 - 1 / count) for count in (trials, trials * math.e))
    return max(0.0, (1 - _EULER_GAMMA) * first + _EULER_GAMMA * second)


def independent_trials(returns: Floats, trials: int) -> float:
    """How many independent trials so many are worth: r + (1 - r) trials, r being the mean correlation.

    `returns` are the daily ones of some of them (days x trials), each of which varies. Bailey and Lopez
    de Prado 2014, appendix A.3.
    """
    columns = returns.shape[1]
    if columns < 2:
        return float(trials)
    standard = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    summed = float(np.mean(np.square(standard.sum(axis=1))))
    mean_correlation = (summed - columns) / (columns * (columns - 1))
    r = float(np.clip(mean_correlation, 0, 1))
    return r + (1 - r) * trials
