"""The best of many: shares with the observed one counted, raised bests, histograms; the seeded sample."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.luck.best_of_many import histogram, probability_at_least, raised
from backtest.luck.sampling import sampled_trials


def test_probability_at_least_counts_the_observed_one_and_ties() -> None:
    bests = np.array([-math.inf, 1, 2, 3])
    assert [probability_at_least(value, bests) for value in (4, 3, 2.5, 0, -math.inf)] == [
        pytest.approx(share) for share in (0.2, 0.4, 0.4, 0.8, 1)
    ]


@given(st.lists(st.floats(-5, 5)), st.floats(-5, 5))
def test_probability_at_least_is_over_zero_and_at_most_one(bests: list[float], observed: float) -> None:
    assert 0 < probability_at_least(observed, np.array(bests)) <= 1


def test_raised_bests_are_about_those_of_as_many_trials() -> None:
    random = np.random.default_rng(1)
    few, many = (random.standard_normal((4_000, count)).max(axis=1) for count in (100, 1_000))
    assert 0 <= raised(few, 100, 1_000).mean() - many.mean() < 0.15


def test_raised_bests_of_all_trials_stay() -> None:
    bests = np.array([1.0, 2.0, -math.inf])
    assert raised(bests, 10, 10) is bests
    assert raised(bests, 10, 100)[2] == -math.inf


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.just(-math.inf))))
def test_histogram_of_anything_counts_the_finite(values: list[float]) -> None:
    found = histogram(np.array(values))
    assert sum(found.counts) == sum(map(math.isfinite, values))
    assert len(found.edges) == len(found.counts) + bool(found.counts)


@given(st.integers(1, 5_000), st.integers(0, 2**32), st.data())
def test_sampled_trials_have_the_best_and_at_most_one_other_than_without(
    trials: int, seed: int, data: st.DataObject
) -> None:
    best = data.draw(st.integers(0, trials - 1))
    found, without = sampled_trials(trials, seed, best).tolist(), sampled_trials(trials, seed).tolist()
    assert best in found
    assert found == sorted(set(found))
    assert len(found) == len(without) == min(trials, 1_000)
    assert set(found) - {best} <= set(without)
    assert found == sampled_trials(trials, seed, best).tolist()
