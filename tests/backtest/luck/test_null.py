"""Permuted candles: still candles, with the same moves and drift, without the pattern."""

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.luck.best_of_many import probability_at_least
from backtest.luck.null import permuted, permuted_study, permuted_together
from backtest.trial import Study
from tests.backtest.luck.markets import START_MS, TICK, Floats, history_of, random_moves
from tests.trading.strategies.walks import HOUR_MS, walk
from trading.history import History
from trading.market import Market
from trading.price_ticks import to_prices
from trading.timeframe import DAY_MS

PRICES = ("open", "high", "low", "close")


def walked(rows: int, seed: int, start: int = 1_000_000, flat: tuple[tuple[int, int], ...] = ()) -> History:
    candles = walk(rows, seed, start=start, flat=flat)
    exact = {name: to_prices(candles[f"{name}_ticks"].to_numpy(), TICK) for name in PRICES}
    frame = candles.with_columns(**{name: pl.Series(prices) for name, prices in exact.items()})
    return History(Market("BTC/USDT", TICK), HOUR_MS, frame)


def ticks(history: History) -> dict[str, np.ndarray]:
    return {name: history.candles[f"{name}_ticks"].to_numpy() for name in PRICES}


def moves(history: History) -> Floats:
    return np.diff(np.log(ticks(history)["close"]))


@given(
    st.integers(1, 80),
    st.integers(0, 10**6),
    st.sampled_from([1, 3, 200, 1_000_000, 10**12]),
    st.lists(st.tuples(st.integers(1, 79), st.integers(1, 9)), max_size=3),
)
def test_permuted_candles_are_valid_and_on_the_same_grid(
    rows: int, seed: int, start: int, flat: list[tuple[int, int]]
) -> None:
    history = walked(rows, seed, start, tuple(flat))
    found = permuted(history, seed)
    each = ticks(found)
    assert found.candles.schema == history.candles.schema
    assert found.candles.select("timestamp", "filled").equals(history.candles.select("timestamp", "filled"))
    assert (each["low"] >= 1).all()
    assert (each["high"] >= np.maximum(each["open"], each["close"])).all()
    assert (each["low"] <= np.minimum(each["open"], each["close"])).all()
    filled = history.candles["filled"].to_numpy()
    for row in np.flatnonzero(filled):
        assert {int(each[name][row]) for name in PRICES} == {int(each["close"][row - 1])}
    assert sorted(found.candles["volume"]) == sorted(history.candles["volume"])
    for name in PRICES:
        prices = to_prices(each[name], history.market.tick)
        assert (found.candles[name].to_numpy() == prices).all()


def test_permuted_candles_keep_moves_drift_first_candle_and_last_close() -> None:
    history = history_of(random_moves(500, seed=1, drift=0.002))
    found = permuted(history, seed=2)
    assert found.candles.row(0) == history.candles.row(0)
    assert ticks(found)["close"][-1] == ticks(history)["close"][-1]
    assert sorted(moves(found)) == pytest.approx(sorted(moves(history)), abs=1e-5)
    assert moves(found) != pytest.approx(moves(history), abs=1e-2)
    for name in ("high", "low"):
        shapes = [sorted(np.log(ticks(each)[name] / ticks(each)["open"])) for each in (found, history)]
        assert shapes[0] == pytest.approx(shapes[1], abs=1e-5)


def test_permuted_candles_with_the_same_seed_are_the_same_and_with_another_differ() -> None:
    history = walked(100, seed=1)
    assert permuted(history, 1).candles.equals(permuted(history, 1).candles)
    assert not permuted(history, 1).candles.equals(permuted(history, 2).candles)


def test_permuted_candles_of_a_market_with_memory_have_none() -> None:
    history = history_of(random_moves(2_000, seed=3, echo=0.4))
    memories = [
        np.corrcoef(each[1:], each[:-1])[0, 1] for each in (moves(history), moves(permuted(history, 1)))
    ]
    assert memories[0] > 0.3
    assert abs(memories[1]) < 0.07


def test_permuted_symbols_move_together_where_they_overlap() -> None:
    shared = random_moves(400, seed=4)
    early = history_of(shared, "BTC/USDT")
    late = history_of(shared[100:] + 0.3 * random_moves(300, seed=5), "ETH/USDT", first_day=100)
    before = np.corrcoef(moves(early)[100:], moves(late))[0, 1]
    first, second = permuted_together([early, late], seed=1)
    assert np.corrcoef(moves(first)[100:], moves(second))[0, 1] == pytest.approx(before, abs=1e-3)
    assert before > 0.9
    assert sorted(moves(first)[:100]) == pytest.approx(sorted(moves(early)[:100]), abs=1e-5)


def test_permuted_study_keeps_the_candles_that_warm_up() -> None:
    history = history_of(random_moves(300, seed=6))
    found = permuted_study(Study([history], START_MS + 50 * DAY_MS), seed=1)
    assert found.histories[0].candles.head(50).equals(history.candles.head(50))
    assert sorted(moves(found.histories[0])[49:]) == pytest.approx(sorted(moves(history)[49:]), abs=1e-5)


def test_permuted_history_without_candles_to_move_stays() -> None:
    history = walked(1, seed=1)
    assert permuted(history, 1).candles.equals(history.candles)
    assert permuted(history.head(0), 1).candles.is_empty()


def followed(history: History) -> float:
    """The best Sharpe ratio of a day of five rules that hold after a move over a threshold."""
    change = moves(history)
    gains = [np.where(change[:-1] > least, change[1:], 0) for least in (-0.04, -0.02, 0, 0.02, 0.04)]
    return max(float(gain.mean() / gain.std()) for gain in gains)


def permutation_probability(history: History) -> float:
    bests = np.array([followed(permuted(history, seed)) for seed in range(19)])
    return probability_at_least(followed(history), bests)


def test_permutation_of_noise_with_drift_is_even() -> None:
    found = [permutation_probability(history_of(random_moves(250, seed, drift=0.003))) for seed in range(60)]
    assert 0.4 < np.mean(found) < 0.6
    assert np.mean(np.array(found) <= 0.05) < 0.13


def test_permutation_of_a_market_with_memory_finds_it() -> None:
    assert permutation_probability(history_of(random_moves(500, seed=1, echo=0.3))) == 0.05


def test_permuted_year_of_minutes_is_quick() -> None:
    history = history_of(0.03 * random_moves(525_600, seed=1))
    started = time.process_time()
    permuted(history, seed=1)
    assert time.process_time() - started < 1.5
