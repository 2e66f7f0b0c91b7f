"""Shuffled trades and the stationary bootstrap: what stays, what varies, and by how much."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backtest.luck.resampling import (
    PATHS,
    Resampled,
    block_bootstrap,
    mean_shrinkage,
    shuffled_trades,
    stationary_rows,
)
from tests.backtest.luck.markets import Floats, noise

RETURNS = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.9, 2))


def spread(values: object) -> list[float]:
    return [getattr(values, name) for name in ("q5", "q25", "q50", "q75", "q95")]


def well_formed(found: Resampled | None) -> Resampled:
    assert found is not None
    assert spread(found.final_equity_multiple) == sorted(spread(found.final_equity_multiple))
    assert spread(found.max_drawdown_percent) == sorted(spread(found.max_drawdown_percent))
    assert 0 <= found.max_drawdown_percent.q5 <= found.max_drawdown_percent.q95 <= 100
    assert {len(curve) for curve in (*found.fan_multiple, *found.sample_multiple)} == {len(found.steps)}
    assert {curve[0] for curve in (*found.fan_multiple, *found.sample_multiple)} == {1}
    return found


@given(RETURNS)
def test_shuffled_trades_in_any_order_end_at_the_same_equity(returns: Floats) -> None:
    found = well_formed(shuffled_trades(returns, seed=1, paths=50))
    expected = float(np.prod(1 + returns))
    assert found.final_equity_multiple.q5 == pytest.approx(expected)
    assert found.final_equity_multiple.q95 == pytest.approx(expected)


@given(RETURNS)
def test_block_bootstrap_of_any_returns_is_well_formed(returns: Floats) -> None:
    well_formed(block_bootstrap(returns, seed=1, paths=50))


def test_shuffled_trades_of_one_gain_and_one_loss_fall_by_the_loss() -> None:
    found = shuffled_trades(np.array([0.5, -0.2]), seed=1)
    assert found is not None
    assert spread(found.max_drawdown_percent) == pytest.approx([20] * 5)
    assert (found.steps, found.paths, found.loss_probability) == ((0, 1, 2), PATHS, 0)


def test_block_bootstrap_of_long_returns_is_thinned_and_centred_on_them() -> None:
    returns = noise(1_500, 1, 1)[:, 0]
    found = well_formed(block_bootstrap(returns, seed=2))
    assert len(found.steps) == 120
    assert (found.steps[0], found.steps[-1]) == (0, 1_500)
    assert np.log(found.final_equity_multiple.q50) == pytest.approx(np.log1p(returns).sum(), abs=0.05)
    wide = np.log(found.final_equity_multiple.q95 / found.final_equity_multiple.q5)
    assert wide == pytest.approx(2 * 1.645 * 0.01 * np.sqrt(1_500), rel=0.15)


def test_resampling_with_the_same_seed_is_the_same_and_with_another_differs() -> None:
    returns = noise(300, 1, 1)[:, 0]
    assert block_bootstrap(returns, seed=3) == block_bootstrap(returns, seed=3) != block_bootstrap(returns, 4)
    assert shuffled_trades(returns, seed=3) == shuffled_trades(returns, seed=3) != shuffled_trades(returns, 4)


@pytest.mark.parametrize("returns", [[], [0.1]])
def test_resampling_of_too_little_is_none(returns: list[float]) -> None:
    assert shuffled_trades(np.array(returns), seed=1) is None
    assert block_bootstrap(np.array(returns), seed=1) is None


def test_stationary_rows_use_every_day_alike_in_blocks_of_the_mean_length() -> None:
    rows = stationary_rows(np.random.default_rng(1), 2_000, 512)
    assert np.bincount(rows.ravel(), minlength=512) == pytest.approx(np.full(512, 2_000), rel=0.2)
    goes_on = (np.diff(rows, axis=1) % 512 == 1).mean()
    assert goes_on == pytest.approx(1 - (1 / 8) * (1 - 1 / 512), abs=0.002)


@pytest.mark.parametrize("days", [30, 100, 400])
def test_mean_shrinkage_is_what_the_means_of_resampled_noise_show(days: int) -> None:
    random = np.random.default_rng(days)
    variances = [
        values[stationary_rows(random, 200, days)].mean(axis=1).var()
        for values in random.standard_normal((400, days))
    ]
    assert np.sqrt(np.mean(variances) * days) == pytest.approx(mean_shrinkage(days), abs=0.02)
