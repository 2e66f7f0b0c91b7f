"""The verdict: how likely the best of a sweep looks this good by luck, in figures and in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from backtest.luck.best_of_many import (
    Floats,
    Histogram,
    as_floats,
    histogram,
    probability_at_least,
    raised,
)
from backtest.luck.deflated_sharpe import (
    YEAR,
    DeflatedSharpe,
    deflated_sharpe,
    independent_trials,
)
from backtest.luck.excess import excess_returns
from backtest.luck.null import NullBests
from backtest.luck.overfitting import Overfitting, overfitting
from backtest.luck.reality_check import RealityCheck, reality_check
from backtest.luck.resampling import Resampled, block_bootstrap, shuffled_trades
from backtest.luck.words import advice_of, sentence_of

FEWEST_DAYS = 30
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Trials:
    """What a sweep made.

    `sharpes`: the Sharpe ratio a year of every trial that ran, None where there is none (no trades).
    `daily_returns`: fractions (days x columns) of at most 1,000 of them, chosen by `sampled_trials`;
    `best` is the column of the best. `market_returns`: the symbols' daily returns (days x symbols) of
    `excess.market_returns`; without them a long-only best is credited with the market's drift.
    `trade_returns`: the realised profit of each of the best's trades over the equity before it.
    `null`: the bests of sweeps over permuted candles; 39 or more of them leave room for a small probability.
    """

    sharpes: Sequence[float | None]
    daily_returns: Floats
    best: int
    market_returns: Floats | None = None
    trade_returns: Sequence[float] = ()
    null: NullBests | None = None


class Permutation(Struct, frozen=True):
    """The probability that a sweep over permuted candles finds a best as good as the real one."""

    probability: float
    observed: float
    null_bests: Histogram
    sweeps: int

    @property
    def beats_all(self) -> bool:
        """Whether no permuted sweep found a best as good."""
        return self.probability <= 1 / (1 + self.sweeps)


class Luck(Struct, frozen=True):
    """Skill or luck. None stands for what cannot be computed: no trades, too few days, one trial only.

    `probability` (0 to 1) is the one in the sentence: the larger one of the Reality Check's, on returns
    in excess of the market's, and the permuted sweeps', where one of them was as good. The deflated
    Sharpe ratio and the probability of overfitting do not enter: both also blame a sweep in which many
    trials are good.
    `best_excess_sharpe` is the best's Sharpe ratio a year without what the market gave.
    """

    sentence: str
    advice: str
    probability: float | None
    trials: int
    days: int
    best_excess_sharpe: float | None
    reality_check: RealityCheck | None
    permutation: Permutation | None
    deflated_sharpe: DeflatedSharpe | None
    overfitting: Overfitting | None
    trade_order: Resampled | None
    block_bootstrap: Resampled | None


def luck_of(trials: Trials, seed: int) -> Luck:
    """The verdict on a sweep; the same trials and seed give the same verdict."""
    raw = np.asarray(trials.daily_returns, dtype=np.float64)
    sharpes = as_floats(trials.sharpes)
    judged, best = _judged(raw, trials.best)
    made = max(judged.shape[1], int(np.isfinite(sharpes).sum()))
    excess, best_excess = _excess(judged, best, trials.market_returns)
    check = None if best_excess is None else reality_check(excess, best_excess, made, seed)
    permutation = _permutation(trials.null, made)
    overfit = None if best_excess is None else overfitting(excess)
    probability = _probability(check, permutation)
    excess_sharpe = check.sharpe if check else None
    return Luck(
        sentence=sentence_of(len(sharpes), probability),
        advice=advice_of(probability, excess_sharpe, overfit.probability if overfit else None),
        probability=probability,
        trials=len(sharpes),
        days=len(raw),
        best_excess_sharpe=excess_sharpe,
        reality_check=check,
        permutation=permutation,
        deflated_sharpe=_deflated(judged, best, sharpes, made),
        overfitting=overfit,
        trade_order=shuffled_trades(np.array(trials.trade_returns, dtype=np.float64), seed),
        block_bootstrap=None if best is None else block_bootstrap(judged[:, best], seed),
    )


def _probability(check: RealityCheck | None, permutation: Permutation | None) -> float | None:
    """The larger probability. A best that beats every permuted sweep is as unlikely as the number of
    sweeps can show; then the Reality Check stands, where there is one."""
    if permutation is None or (check is not None and permutation.beats_all):
        return check.probability if check else None
    return max(permutation.probability, check.probability if check else 0.0)


def _judged(returns: Floats, best: int) -> tuple[Floats, int | None]:
    """The columns that can be judged, and where the best is among them: finite, not flat, enough days."""
    if len(returns) < FEWEST_DAYS:
        return returns[:, :0], None
    kept = np.isfinite(returns).all(axis=0) & _vary(returns, np.abs(returns).max(axis=0))
    return returns[:, kept], _place(kept, best)


def _excess(returns: Floats, best: int | None, market: Floats | None) -> tuple[Floats, int | None]:
    """The same in excess of the market; a trial that is the market itself is left out."""
    if market is None or best is None:
        return returns, best
    excess = excess_returns(returns, market)
    kept = _vary(excess, np.abs(returns).max(axis=0))
    return excess[:, kept], _place(kept, best)


def _vary(returns: Floats, scale: Floats) -> NDArray[np.bool_]:
    """Which columns vary by more than rounding at this scale."""
    varying: NDArray[np.bool_] = np.ptp(returns, axis=0) > _ROUNDING * scale
    return varying


def _place(kept: NDArray[np.bool_], best: int) -> int | None:
    return int(np.count_nonzero(kept[:best])) if kept[best] else None


def _permutation(null: NullBests | None, made: int) -> Permutation | None:
    if null is None or not null.bests:
        return None
    bests = raised(np.nan_to_num(as_floats(null.bests), nan=-np.inf), null.trials, made)
    return Permutation(
        probability_at_least(null.observed, bests), null.observed, histogram(bests), len(bests)
    )


def _deflated(returns: Floats, best: int | None, sharpes: Floats, made: int) -> DeflatedSharpe | None:
    if best is None:
        return None
    return deflated_sharpe(returns[:, best], sharpes / YEAR, independent_trials(returns, made))
