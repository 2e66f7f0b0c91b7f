"""The range of a run: --from, --to, and where the grid ends."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.trading.candle_tables import HOUR_MS, START, START_MS, candles, parquet
from trading.date_range import parse_date, select_range
from trading.errors import InputError
from trading.history import History, load_history


def history(folder: Path, hours: list[int], symbol: str = "BTC/USDT") -> History:
    table = candles(len(hours), timestamp=[START + timedelta(hours=each) for each in hours])
    return load_history(symbol, parquet(folder, table))


def at(hour: int) -> int:
    return START_MS + hour * HOUR_MS


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2021-01-01", 0),
        ("2021-01-01T12:00", 12),
        ("2021-01-01 12:00", 12),
        ("2021-01-01T12:00Z", 12),
        ("2021-01-01T12:00:00+02:00", 10),
    ],
)
def test_date_of_any_iso_form_is_utc(text: str, hours: int) -> None:
    assert parse_date(text, "--from") == at(hours)


@pytest.mark.parametrize("text", ["", "yesterday", "2021-13-01", "2021-02-30", "01.02.2021"])
def test_date_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--to: .* is not a date such as 2021-01-01"):
        parse_date(text, "--to")


def test_range_without_bounds_is_everything(tmp_path: Path) -> None:
    chosen = select_range([history(tmp_path, [0, 1, 2, 4])])
    assert (chosen.first_open_ms, chosen.last_open_ms, chosen.first_rows) == (at(0), at(4), [0])
    assert chosen.histories[0].candles.height == 5


def test_range_includes_from_and_excludes_to(tmp_path: Path) -> None:
    chosen = select_range([history(tmp_path, [0, 1, 2, 3, 4])], at(1), at(3))
    assert (chosen.first_open_ms, chosen.last_open_ms, chosen.first_rows) == (at(1), at(2), [1])
    assert chosen.histories[0].candles.height == 3


def test_range_from_inside_a_hole_begins_with_a_filled_candle(tmp_path: Path) -> None:
    chosen = select_range([history(tmp_path, [0, 1, 2, 3, 7, 8])], at(5))
    assert chosen.first_open_ms == at(5)
    assert chosen.histories[0].candles["filled"][chosen.first_rows[0]]


def test_range_to_inside_a_hole_ends_at_the_last_real_candle(tmp_path: Path) -> None:
    chosen = select_range([history(tmp_path, [0, 1, 2, 3, 7, 8])], None, at(6))
    assert chosen.last_open_ms == at(3)
    assert chosen.histories[0].candles.height == 4


def test_range_ends_for_all_symbols_at_the_last_real_candle_of_any(tmp_path: Path) -> None:
    holed = history(tmp_path, [0, 1, 2, 3, 9, 10], "ETH/USDT")
    chosen = select_range([holed, history(tmp_path, [0, 1, 2, 3, 4, 5, 6])], None, at(6))
    assert chosen.last_open_ms == at(5)
    assert [each.open_times_ms[-1] for each in chosen.histories] == [at(5), at(5)]
    assert chosen.histories[0].candles["filled"].to_list() == [False] * 4 + [True] * 2


def test_range_begins_with_the_first_symbol_that_has_candles(tmp_path: Path) -> None:
    late = history(tmp_path, [5, 6, 7], "ETH/USDT")
    chosen = select_range([late, history(tmp_path, [0, 1, 2, 3, 4, 5])], at(2), at(5))
    assert (chosen.first_open_ms, chosen.last_open_ms) == (at(2), at(4))
    assert chosen.histories[0].candles.is_empty()
    assert chosen.first_rows == [0, 2]


@pytest.mark.parametrize(("start", "end"), [(9, None), (None, 0), (3, 3), (4, 2), (4, 6)])
def test_range_without_a_candle_is_refused_with_what_there_is(
    tmp_path: Path, start: int | None, end: int | None
) -> None:
    found = history(tmp_path, [0, 1, 2, 3, 8])
    with pytest.raises(InputError, match="the data has 2021-01-01T00:00:00Z to 2021-01-01T08:00:00Z"):
        select_range([found], None if start is None else at(start), None if end is None else at(end))
