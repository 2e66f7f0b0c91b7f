"""Fewer points, the same picture."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.report.sampling import drawn_step_ms, kept_rows, packed, resampled
from trading.timeframe import DAY_MS

MINUTE_MS = 60_000
VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400)


@given(VALUES, st.integers(1, 40))
def test_kept_rows_hold_the_ends_and_the_extremes_and_are_few(values: list[float], buckets: int) -> None:
    series = np.array(values)
    rows = kept_rows(buckets, series)
    assert {0, len(values) - 1} <= set(rows.tolist())
    assert len(rows) <= 2 * buckets + 2
    assert (series[rows].min(), series[rows].max()) == (series.min(), series.max())
    assert (np.diff(rows) > 0).all()


def test_kept_rows_of_two_series_hold_the_extremes_of_both() -> None:
    first, second = np.zeros(1_000), np.zeros(1_000)
    first[333], second[777] = 1, -1
    assert {333, 777} <= set(kept_rows(10, first, second).tolist())


@pytest.mark.parametrize(
    ("candles", "timeframe_minutes", "minutes"),
    [(2_000, 1, 1), (2_001, 1, 2), (525_600, 1, 360), (525_600, 7, 7 * 263), (43_824, 60, 1_440)],
)
def test_drawn_step_is_round_where_it_can_be(candles: int, timeframe_minutes: int, minutes: int) -> None:
    step_ms = drawn_step_ms(candles, timeframe_minutes * MINUTE_MS, 2_000)
    assert step_ms == minutes * MINUTE_MS


@given(st.integers(1, 20_000_000), st.sampled_from([1, 3, 5, 7, 60, 240, 1_440, 10_080]))
def test_drawn_step_is_a_multiple_and_draws_at_most_so_many(candles: int, timeframe_minutes: int) -> None:
    timeframe_ms = timeframe_minutes * MINUTE_MS
    step_ms = drawn_step_ms(candles, timeframe_ms, 2_000)
    assert step_ms % timeframe_ms == 0
    assert -(-candles * timeframe_ms // step_ms) <= 2_000
    assert candles > 2_000 or step_ms == timeframe_ms


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 20))
def test_resampled_candles_are_those_of_their_groups(count: int, per_step: int, offset: int) -> None:
    random = np.random.default_rng(count)
    times = DAY_MS + MINUTE_MS * (offset + np.arange(count))
    opens, closes = random.random(count), random.random(count)
    prices = {
        "open": opens,
        "high": np.maximum(opens, closes) + 1,
        "low": np.minimum(opens, closes) - 1,
        "close": closes,
    }
    step_ms = per_step * MINUTE_MS
    starts, merged = resampled(times, prices, step_ms)
    for place, start in enumerate(starts):
        mine = times // step_ms == start // step_ms
        assert start == times[mine][0]
        assert merged["open"][place] == opens[mine][0]
        assert merged["close"][place] == closes[mine][-1]
        assert merged["high"][place] == prices["high"][mine].max()
        assert merged["low"][place] == prices["low"][mine].min()
    assert len(starts) == len(np.unique(times // step_ms))


def test_packed_numbers_are_little_endian_doubles() -> None:
    body = base64.b64decode(packed([1, 2.5, float("nan")])["bdata"])
    assert np.frombuffer(body, "<f8")[:2].tolist() == [1.0, 2.5]
    assert len(body) == 24
