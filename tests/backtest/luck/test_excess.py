"""Returns over the market's: the drift goes, timing stays."""

import numpy as np
import pytest

from backtest.luck.excess import excess_returns, market_returns
from backtest.trial import Study, run_trial
from tests.backtest.luck.markets import START_MS, history_of, noise, random_moves
from trading.settings import parse_settings
from trading.timeframe import DAY_MS


def test_market_returns_are_those_between_closes_the_first_open_before_them() -> None:
    history = history_of(random_moves(40, seed=1))
    found = market_returns(Study([history], START_MS + 10 * DAY_MS))[:, 0]
    closes = history.candles["close"].to_numpy()
    assert found[1:] == pytest.approx(closes[11:] / closes[10:-1] - 1)
    assert found[0] == pytest.approx(closes[10] / history.candles["open"][10] - 1)


def test_market_returns_of_a_symbol_that_begins_late_are_zero_before() -> None:
    early = history_of(random_moves(40, seed=1))
    late = history_of(random_moves(20, seed=2), "ETH/USDT", first_day=15)
    found = market_returns(Study([early, late], START_MS))
    assert found.shape == (40, 2)
    assert not found[:15, 1].any()
    assert found[16:35, 1].all()
    assert not found[35:, 1].any()


def test_market_returns_have_the_days_of_a_trial() -> None:
    study = Study([history_of(random_moves(40, seed=1))], START_MS + 5 * DAY_MS)
    trial = run_trial(study, parse_settings({}))
    assert len(market_returns(study)) == len(trial.daily_returns) == 35


def test_excess_returns_of_constant_exposure_are_none() -> None:
    market = noise(200, 2, seed=1) + 0.01
    held = 0.5 * market[:, :1] + 0.2 * market[:, 1:]
    assert excess_returns(held, market) == pytest.approx(np.zeros((200, 1)), abs=1e-15)


def test_excess_returns_of_luck_have_no_drift_and_of_timing_keep_their_gain() -> None:
    market = noise(4_000, 1, seed=1) + 0.004
    random = np.random.default_rng(2)
    blind = market * (random.random((4_000, 1)) < 0.5)
    timed = market * ((random.random((4_000, 1)) < 0.3) | (market > 0.01))
    lucky, skilled = excess_returns(np.hstack([blind, timed]), market).mean(axis=0)
    assert blind.mean() > 0.0015
    assert abs(lucky) < 0.0003
    assert skilled > 0.001


def test_excess_returns_of_a_market_that_stands_still_are_the_returns() -> None:
    returns = noise(100, 3, seed=1)
    assert (excess_returns(returns, np.zeros((100, 1))) == returns).all()
