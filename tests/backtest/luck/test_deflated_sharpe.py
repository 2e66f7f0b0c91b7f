"""Probabilistic and deflated Sharpe ratio against the numbers in the papers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.luck.deflated_sharpe import (
    YEAR,
    deflated_sharpe,
    expected_maximum,
    independent_trials,
    probabilistic_sharpe,
)
from tests.backtest.luck.markets import noise
from trading.statistics import sharpe


@pytest.mark.parametrize(("skew", "kurtosis", "expected"), [(0, 3, 0.982), (-2.448, 10.164, 0.913)])
def test_probabilistic_sharpe_of_the_2012_paper_is_its_number(
    skew: float, kurtosis: float, expected: float
) -> None:
    assert probabilistic_sharpe(0.458, 0, 24, skew, kurtosis) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "expected"),
    [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)],
)
def test_deflated_sharpe_of_the_2014_paper_is_its_number(
    trials: int, skew: float, kurtosis: float, expected: float
) -> None:
    luck = math.sqrt(0.5 / 250) * expected_maximum(trials)
    assert trials != 100 or luck == pytest.approx(0.1132, abs=5e-5)
    found = probabilistic_sharpe(2.5 / math.sqrt(250), luck, 1250, skew, kurtosis)
    assert found == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("trials", [10, 100, 1_000])
def test_expected_maximum_of_many_is_that_of_drawn_normals(trials: int) -> None:
    drawn = np.random.default_rng(trials).standard_normal((4_000, trials)).max(axis=1).mean()
    assert expected_maximum(trials) == pytest.approx(drawn, abs=0.05)


def test_deflated_sharpe_of_one_trial_is_the_probabilistic_one() -> None:
    found = deflated_sharpe(noise(300, 1, 1)[:, 0] + 0.001, np.array([0.1]), 1)
    assert found.deflated_sharpe == found.probabilistic_sharpe
    assert (found.expected_best_sharpe, found.independent_trials) == (0, 1)


def test_deflated_sharpe_shows_the_yearly_sharpe_of_the_figures() -> None:
    returns = noise(300, 1, 2)[:, 0]
    found = deflated_sharpe(returns, np.array([0.1, math.nan, 0.3]), 2)
    assert found.sharpe == pytest.approx(sharpe(returns.tolist()))
    assert found.expected_best_sharpe == pytest.approx(
        YEAR * math.sqrt(0.02) * expected_maximum(2), rel=1e-12
    )


@given(st.integers(2, 500), st.floats(-0.3, 0.3), st.floats(0, 0.3))
def test_probabilistic_sharpe_over_a_higher_benchmark_is_lower(days: int, ratio: float, more: float) -> None:
    low, high = (probabilistic_sharpe(ratio, benchmark, days, -0.5, 4) for benchmark in (more, 0.0))
    assert 0 <= low <= high <= 1


def test_independent_trials_of_copies_are_one_and_of_strangers_all() -> None:
    strangers = noise(2_000, 50, 3)
    assert independent_trials(strangers, 1_000) == pytest.approx(1_000, rel=0.02)
    assert independent_trials(np.repeat(strangers[:, :1], 50, axis=1), 1_000) == pytest.approx(1)
    assert independent_trials(strangers[:, :1], 7) == 7


def test_independent_trials_use_the_mean_correlation_of_all_pairs() -> None:
    returns = noise(200, 6, 4) + noise(200, 1, 5)
    pairs = np.asarray(np.corrcoef(returns.T))[np.triu_indices(6, 1)]
    expected = pairs.mean() + (1 - pairs.mean()) * 30
    assert independent_trials(returns, 30) == pytest.approx(expected)
