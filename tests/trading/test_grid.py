"""Several symbols on one grid: different spans, gaps between them, holes before the range."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trading.accounts import BTC, ETH, HOUR_MS
from tests.trading.candle_tables import START, START_MS, candles, parquet
from trading.candles import Holes
from trading.grid import CandleGrid
from trading.history import History, history_of, load_history

# Enough hours in a row for the timeframe, and others after holes.
SPANS = st.sets(st.integers(9, 35), max_size=7).map(lambda hours: sorted({*range(9), *hours}))


def history(folder: Path, symbol: str, hours: list[int]) -> History:
    """Hourly candles at these hours; those between are filled."""
    table = candles(len(hours), timestamp=[START + timedelta(hours=each) for each in hours])
    return load_history(symbol, parquet(folder, table, f"{symbol[:3]}.parquet"))


@pytest.fixture
def apart(tmp_path: Path) -> CandleGrid:
    """BTC from 0 to 3 with a hole at 2; nobody from 4 to 9; ETH from 10 to 12."""
    return CandleGrid([history(tmp_path, BTC, [0, 1, 3]), history(tmp_path, ETH, [10, 11, 12])])


def test_grid_has_the_open_times_at_which_any_symbol_has_a_candle(apart: CandleGrid) -> None:
    times = [apart.open_time_ms(row) for row in range(apart.height)]
    assert times == [START_MS + hour * HOUR_MS for hour in (0, 1, 2, 3, 10, 11, 12)]
    assert (apart.first_ms, apart.offset(0), apart.offset(1)) == (START_MS, 0, 4)


@pytest.mark.parametrize(("hour", "row"), [(-1, 0), (0, 0), (3, 3), (4, 4), (10, 4), (12, 6), (13, 7)])
def test_row_of_a_time_is_the_first_at_or_after_it(apart: CandleGrid, hour: int, row: int) -> None:
    assert apart.row(START_MS + hour * HOUR_MS) == row


def test_closed_rows_hold_the_candles_of_the_symbols_that_have_one(apart: CandleGrid) -> None:
    events = apart.closed(0, apart.height)
    assert [[each.symbol for each in event.candles] for event in events] == [[BTC]] * 4 + [[ETH]] * 3
    assert [event.candles[0].filled for event in events] == [False, False, True, *[False] * 4]
    hole, before = events[2].candles[0], events[1].candles[0]
    assert {hole.open, hole.high, hole.low, hole.close} == {before.close}


def test_holes_before_a_row_are_those_of_the_candles_before_it(apart: CandleGrid) -> None:
    assert apart.holes_before(0, 0) == {BTC: Holes(), ETH: Holes()}
    assert apart.holes_before(3, 0) == {BTC: Holes(missing=1), ETH: Holes()}
    assert apart.holes_before(4, 0) == {BTC: Holes(real_since=1), ETH: Holes()}
    assert apart.holes_before(4, 1) == {BTC: Holes(), ETH: Holes()}


def test_symbol_without_candles_has_no_part_in_the_grid(tmp_path: Path) -> None:
    grid = CandleGrid([history(tmp_path, BTC, [0, 1]).head(0), history(tmp_path, ETH, [5, 6])])
    assert [[each.symbol for each in event.candles] for event in grid.closed(0, grid.height)] == [
        [ETH],
        [ETH],
    ]
    assert grid.holes_before(2, 0)[BTC] == Holes()


@given(first=SPANS, second=SPANS, shift=st.integers(-40, 40), split=st.integers(0, 80))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_grid_of_any_spans_gives_each_candle_once_in_any_chunks(
    tmp_path: Path, first: list[int], second: list[int], shift: int, split: int
) -> None:
    moved = [hour + shift for hour in second]
    histories = [history(tmp_path, BTC, first), history(tmp_path, ETH, moved)]
    grid = CandleGrid(histories)
    middle = min(split, grid.height)
    events = grid.closed(0, middle) + grid.closed(middle, grid.height)
    seen_before = {BTC: Holes(), ETH: Holes()}
    for made in (made for event in events[:middle] for made in event.candles):
        seen_before[made.symbol].see(made.filled, 1)
    assert grid.holes_before(middle, 1) == seen_before
    for place, each in enumerate((first, moved)):
        symbol = (BTC, ETH)[place]
        seen = {e.open_time_ms: c for e in events for c in e.candles if c.symbol == symbol}
        hours = {START_MS + hour * HOUR_MS: hour in each for hour in range(each[0], each[-1] + 1)}
        assert {time_ms: not made.filled for time_ms, made in seen.items()} == hours
        closes = [made.close for made in seen.values()]
        assert closes == histories[place].candles["close_ticks"].to_list()
        ordered = [grid.offset(place) + row for row in range(len(hours))]
        assert [grid.open_time_ms(row) for row in ordered] == list(hours)


def test_candles_that_a_run_has_seen_make_the_history_again(tmp_path: Path) -> None:
    original = history(tmp_path, BTC, [0, 1, 2, 5, 6])
    seen = [(each.open_time_ms, each.candles[0]) for each in CandleGrid([original]).closed(0, 7)]
    again = history_of(original.market, original.timeframe_ms, seen)
    assert again.candles.equals(original.candles)
    assert again.candles["filled"].to_list() == [False, False, False, True, True, False, False]
