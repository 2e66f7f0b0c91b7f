"""Timeframes, their grid, midnights, and times in words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import InputError
from trading.timeframe import DAY_MS, WEEK_MS, iso, midnight_after, on_grid, timeframe_ms, timeframe_name

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES_MS = st.integers(0, 4_102_444_800_000)  # to the year 2100


@pytest.mark.parametrize(
    ("name", "length_ms"),
    [("1s", 1_000), ("1m", 60_000), ("15m", 900_000), ("4h", 14_400_000), ("1d", DAY_MS), ("1w", WEEK_MS)],
)
def test_timeframe_name_and_length_are_each_others(name: str, length_ms: int) -> None:
    assert timeframe_ms(name) == length_ms
    assert timeframe_name(length_ms) == name


@pytest.mark.parametrize(
    "name", ["", "h", "0h", "-1h", "1.5h", "1 h", "1H", "1M", "1y", "100000m", "1h\n", "1\u0661h"]
)
def test_timeframe_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"timeframe: .* is not a whole number with a unit"):
        timeframe_ms(name)


@pytest.mark.parametrize("length_ms", [-60_000, 0, 1, 999, 1_500])
def test_step_that_is_no_whole_second_has_no_name(length_ms: int) -> None:
    with pytest.raises(InputError, match=f"{length_ms} ms is not a whole number of seconds"):
        timeframe_name(length_ms)


@given(st.integers(1, 99_999))
def test_name_of_any_whole_seconds_has_the_same_length(seconds: int) -> None:
    assert timeframe_ms(timeframe_name(seconds * 1_000)) == seconds * 1_000


@given(st.integers(0, 4_000))
def test_weekly_candles_open_on_mondays(days: int) -> None:
    monday = (EPOCH + timedelta(days=days)).weekday() == 0
    assert on_grid(days * DAY_MS, WEEK_MS) == monday


def test_grid_of_hours_is_whole_hours() -> None:
    assert on_grid(7_200_000, 3_600_000)
    assert not on_grid(7_200_001, 3_600_000)
    assert not on_grid(5_400_000, 3_600_000)


@given(TIMES_MS)
def test_midnight_after_any_time_is_the_first_later_one(time_ms: int) -> None:
    after = midnight_after(time_ms)
    assert after % DAY_MS == 0
    assert after - DAY_MS <= time_ms < after


@given(TIMES_MS)
def test_iso_of_any_time_reads_back(time_ms: int) -> None:
    text = iso(time_ms)
    assert text.endswith("Z") and ("." in text) == (time_ms % 1_000 > 0)
    assert datetime.fromisoformat(text) == EPOCH + timedelta(milliseconds=time_ms)
