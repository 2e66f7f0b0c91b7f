"""Probability of backtest overfitting: does the best in one half of the days lead in the other half?"""

import itertools

import numpy as np
from msgspec import Struct

from backtest.luck.best_of_many import Floats, Histogram, histogram
from backtest.luck.deflated_sharpe import YEAR

MOST_BLOCKS = 16
_FEWEST_BLOCKS = 4
_FEWEST_DAYS_A_BLOCK = 5
_CHUNK_SPLITS = 256
_MOST_PAIRS = 500


class Overfitting(Struct, frozen=True):
    """The probability of backtest overfitting, and what its splits show.

    `probability`: the trial that is best in sample is under the median out of sample. `loss_probability`:
    it has a negative Sharpe ratio there. `logits` are those of its relative rank out of sample: under 0
    is under the median. `sharpes_in_sample` and `sharpes_out_of_sample` are its Sharpe ratios a year, of
    at most 500 splits spread evenly.
    """

    probability: float
    loss_probability: float
    blocks: int
    splits: int
    logits: Histogram
    sharpes_in_sample: tuple[float, ...]
    sharpes_out_of_sample: tuple[float, ...]


def overfitting(returns: Floats) -> Overfitting | None:
    """Combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de Prado and Zhu 2015).

    `returns` are daily (days x trials). The days are cut into 16 blocks, fewer when a block would have
    under 5 days; the oldest days, too few for one more in each, are left out. Every half of the blocks
    is in sample once; trials are judged by the Sharpe ratio. A rank at the median counts half. None
    under two trials or 20 days.
    """
    days, trials = returns.shape
    blocks = min(MOST_BLOCKS, days // _FEWEST_DAYS_A_BLOCK // 2 * 2)
    if trials < 2 or blocks < _FEWEST_BLOCKS:
        return None
    size = days // blocks
    cut = returns[days - size * blocks :].reshape(blocks, size, trials)
    sums, squares = cut.sum(axis=1), np.einsum("bdt,bdt->bt", cut, cut)
    halves = _halves(blocks)
    found = np.concatenate(
        [
            _both_ways(halves[start : start + _CHUNK_SPLITS], sums, squares, size * blocks // 2)
            for start in range(0, len(halves), _CHUNK_SPLITS)
        ]
    )
    rank, inside, outside = found.T
    logits = np.log(rank / (trials + 1 - rank))
    shown = np.linspace(0, len(found) - 1, min(len(found), _MOST_PAIRS)).astype(np.int64)
    return Overfitting(
        probability=float(np.mean(logits < 0) + np.mean(logits == 0) / 2),
        loss_probability=float(np.mean(outside < 0)),
        blocks=blocks,
        splits=len(found),
        logits=histogram(logits),
        sharpes_in_sample=tuple((inside[shown] * YEAR).tolist()),
        sharpes_out_of_sample=tuple((outside[shown] * YEAR).tolist()),
    )


def _halves(blocks: int) -> Floats:
    """Every half of the blocks that has the first in it (halves x blocks, 1 where chosen)."""
    rest = itertools.combinations(range(1, blocks), blocks // 2 - 1)
    chosen = np.array([(0, *each) for each in rest])
    halves = np.zeros((len(chosen), blocks))
    np.put_along_axis(halves, chosen, 1, axis=1)
    return halves


def _both_ways(halves: Floats, sums: Floats, squares: Floats, days: int) -> Floats:
    """Out-of-sample rank and both Sharpe ratios of the best in sample, each half being in sample once."""
    one = _sharpes(halves @ sums, halves @ squares, days)
    other = _sharpes((1 - halves) @ sums, (1 - halves) @ squares, days)
    return np.concatenate([_judged(one, other), _judged(other, one)])


def _sharpes(sums: Floats, squares: Floats, days: int) -> Floats:
    """Daily Sharpe ratios from sums and sums of squares; 0 where returns do not vary."""
    means = sums / days
    variances = (squares - means * sums) / (days - 1)
    flat = variances <= 1e-12 * squares
    return np.where(flat, 0.0, means / np.sqrt(np.where(flat, 1.0, variances)))


def _judged(inside: Floats, outside: Floats) -> Floats:
    """For each split the best's rank out of sample (1 is the worst, ties share), and its Sharpe ratios."""
    splits = np.arange(len(inside))
    best = inside.argmax(axis=1)
    reached = outside[splits, best]
    under = np.count_nonzero(outside < reached[:, None], axis=1)
    equal = np.count_nonzero(outside == reached[:, None], axis=1)
    return np.stack([under + (equal + 1) / 2, inside[splits, best], reached], axis=1)
