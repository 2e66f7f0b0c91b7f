"""The Reality Check: even on noise of many kinds, small on skill."""

import os
from collections.abc import Callable

import numpy as np
import pytest

from backtest.luck.deflated_sharpe import YEAR
from backtest.luck.reality_check import reality_check
from tests.backtest.luck.markets import Floats, best_of, noise

SEEDS = int(os.environ.get("AUTOTRADER_TEST_SEEDS", "100"))
Maker = Callable[[np.random.Generator], Floats]


def rare(random: np.random.Generator) -> Floats:
    """Trials that trade on one day of 25."""
    returns = random.standard_t(4, (300, 60)) * (random.random((300, 60)) < 0.04)
    return returns[:, returns.std(axis=0) > 0]


NOISES: dict[str, Maker] = {
    "one trial": lambda random: random.standard_normal((250, 1)),
    "independent trials": lambda random: random.standard_normal((250, 60)),
    "few days": lambda random: random.standard_normal((60, 60)),
    "fat tails": lambda random: random.standard_t(3, (250, 60)),
    "many small wins, few large losses": lambda random: 1 - random.exponential(size=(250, 60)),
    "trials alike": lambda random: random.standard_normal((250, 60)) + 2 * random.standard_normal((250, 1)),
    "calm and wild stretches": lambda random: (
        np.exp(np.cumsum(0.15 * random.standard_normal((250, 1)), axis=0)) * random.standard_normal((250, 60))
    ),
    "rare trades": rare,
}


@pytest.mark.parametrize("kind", NOISES)
def test_reality_check_of_noise_is_rarely_small_and_one_half_on_average(kind: str) -> None:
    found = []
    for seed in range(SEEDS):
        returns = NOISES[kind](np.random.default_rng(seed))
        check = reality_check(returns, best_of(returns), returns.shape[1], seed, resamples=200)
        found.append(check.probability)
    assert 0.42 < np.mean(found) < (0.65 if kind == "rare trades" else 0.58)
    assert np.mean(np.array(found) < 0.05) <= 0.08


def test_reality_check_of_a_skilled_trial_among_many_is_small() -> None:
    returns = noise(365, 1_000, seed=1)
    returns[:, 321] += 0.003
    found = reality_check(returns, best_of(returns), 1_000, seed=1)
    assert found.probability < 0.01
    assert found.sharpe == pytest.approx(YEAR * returns[:, 321].mean() / returns[:, 321].std(ddof=1))
    assert sum(found.null_best_sharpes.counts) == 2_000


def test_reality_check_where_all_trials_are_skilled_is_small() -> None:
    returns = noise(365, 50, seed=2) + 0.003
    assert reality_check(returns, best_of(returns), 50, seed=1).probability < 0.01


def test_reality_check_of_copies_is_that_of_one_trial() -> None:
    one = noise(200, 1, seed=3) + 0.001
    copies = np.repeat(one, 40, axis=1)
    assert reality_check(copies, 7, 40, seed=1).probability == reality_check(one, 0, 1, seed=1).probability


def test_reality_check_of_a_sample_counts_the_trials_that_it_stands_for() -> None:
    returns = noise(300, 100, seed=4)
    best = best_of(returns)
    sample = sorted({best, *range(20)})
    whole = reality_check(returns, best, 100, seed=1).probability
    sampled = reality_check(returns[:, sample], sample.index(best), 100, seed=1).probability
    alone = reality_check(returns[:, sample], sample.index(best), len(sample), seed=1).probability
    assert alone < sampled
    assert sampled == pytest.approx(whole, abs=0.1)


def test_reality_check_in_other_units_is_the_same() -> None:
    returns = noise(200, 10, seed=5)
    assert reality_check(1_024 * returns, 3, 10, seed=1) == reality_check(returns, 3, 10, seed=1)


def test_reality_check_of_a_loser_is_near_one() -> None:
    returns = noise(200, 10, seed=6)
    returns[:, 3] -= 0.005
    assert reality_check(returns, 3, 10, seed=1).probability > 0.99
