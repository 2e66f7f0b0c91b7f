"""Combinatorially symmetric cross-validation against a plain one, on noise, and on skill."""

import itertools
import math

import numpy as np
import pytest

from backtest.luck.deflated_sharpe import YEAR
from backtest.luck.overfitting import overfitting
from tests.backtest.luck.markets import Floats, noise


def plain(returns: Floats, blocks: int) -> list[tuple[float, float, float]]:
    """Logit, and both Sharpe ratios of the best in sample, of every split: one after the other."""
    parts = np.split(returns[len(returns) % blocks :], blocks)
    found = []
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        inside, outside = (
            np.concatenate([part for index, part in enumerate(parts) if (index in chosen) is within])
            for within in (True, False)
        )
        ratios, later = (half.mean(axis=0) / half.std(axis=0, ddof=1) for half in (inside, outside))
        best = int(ratios.argmax())
        relative = (np.argsort(np.argsort(later))[best] + 1) / (returns.shape[1] + 1)
        found.append((math.log(relative / (1 - relative)), ratios[best] * YEAR, later[best] * YEAR))
    return found


@pytest.mark.parametrize(("days", "trials", "blocks"), [(20, 2, 4), (33, 7, 6), (47, 12, 8)])
def test_overfitting_of_random_returns_is_that_of_the_plain_way(days: int, trials: int, blocks: int) -> None:
    returns = noise(days, trials, seed=days)
    found, expected = overfitting(returns), plain(returns, blocks)
    assert found is not None
    logits = [logit for logit, _, _ in expected]
    assert (found.blocks, found.splits) == (blocks, len(expected))
    assert sum(found.logits.counts) == len(expected)
    assert found.logits.edges[0] == pytest.approx(min(logits), abs=1e-9)
    assert found.probability == pytest.approx(np.mean([logit < 0 for logit in logits]), abs=0.06)
    assert found.loss_probability == pytest.approx(np.mean([later < 0 for _, _, later in expected]))
    pairs = sorted(zip(found.sharpes_in_sample, found.sharpes_out_of_sample, strict=True))
    assert np.allclose(pairs, sorted((ratio, later) for _, ratio, later in expected))


def test_overfitting_of_noise_is_about_one_half() -> None:
    found = [overfitting(noise(120, 20, seed)) for seed in range(60)]
    assert np.mean([each.probability for each in found if each]) == pytest.approx(0.5, abs=0.06)


def test_overfitting_of_one_skilled_trial_is_about_none() -> None:
    returns = noise(365, 200, seed=1)
    returns[:, 17] += 0.004
    found = overfitting(returns)
    assert found is not None
    assert found.probability < 0.01
    assert found.loss_probability < 0.05


def test_overfitting_of_a_thousand_trials_uses_all_splits_of_sixteen_blocks() -> None:
    found = overfitting(noise(400, 1_000, seed=2))
    assert found is not None
    assert (found.blocks, found.splits, len(found.sharpes_in_sample)) == (16, 12_870, 500)


def test_overfitting_of_identical_trials_tells_nothing() -> None:
    found = overfitting(np.repeat(noise(100, 1, 3), 5, axis=1))
    assert found is not None
    assert found.probability == 0.5


def test_overfitting_with_a_trial_that_stands_still_in_a_half_is_finite() -> None:
    returns = noise(100, 3, 4)
    returns[:70, 0] = 0
    found = overfitting(returns)
    assert found is not None
    assert np.isfinite([*found.sharpes_in_sample, *found.sharpes_out_of_sample]).all()


@pytest.mark.parametrize(("days", "trials"), [(19, 10), (0, 10), (100, 1), (100, 0)])
def test_overfitting_of_too_little_is_none(days: int, trials: int) -> None:
    assert overfitting(np.zeros((days, trials))) is None
