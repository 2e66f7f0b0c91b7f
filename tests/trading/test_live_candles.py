"""Live candles: what closes, when, and in whatever order it was told."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.candles import Candle
from trading.events import CandlesClosed
from trading.live_candles import ASKED_IN_VAIN, FUTURE_MS, LATE_MS, UNCONFIRMED_MS, LiveCandles

MINUTE = 60_000
START = 1_700_000_040_000 // MINUTE * MINUTE
TICK = Decimal("0.01")
BTC, ETH = "BTC/USDT", "ETH/USDT"


def row(minute: int, close: Any = "100", volume: Any = "1", **changed: Any) -> list[Any]:
    """A row as ccxt has it, with an open at 100 and a range that fits a close under 10,000."""
    number = isinstance(close, str) and close.replace(".", "").isdecimal()
    both = sorted(("100", close if number else "100"), key=float)
    values = {"open": "100", "high": both[1], "low": both[0], "close": close, "volume": volume, **changed}
    return [START + minute * MINUTE, *values.values()]


class Feed:
    """Tells rows to LiveCandles, at a time in ms that goes on by itself."""

    def __init__(self, *symbols: str, closed_before: int | None = None) -> None:
        closed_ms = -1 if closed_before is None else START + closed_before * MINUTE
        ticks = dict.fromkeys(symbols or (BTC,), TICK)
        self.candles = LiveCandles(ticks, MINUTE, START - MINUTE, closed_before_ms=closed_ms)
        self.at_ms = 1_000

    def told(self, symbol: str, *rows: list[Any], final: bool = False, now_minute: int = 1_000) -> None:
        self.at_ms += 1
        self.candles.told(symbol, rows, self.at_ms, START + now_minute * MINUTE, final)

    def answered(self, symbol: str, *rows: list[Any], since: int = 0, now_minute: int = 1_000) -> None:
        """An answer to a question that was asked just before."""
        self.at_ms += 2
        since_ms, until_ms = START + since * MINUTE, START + (since + 100) * MINUTE
        now_ms = START + now_minute * MINUTE
        self.candles.answered(symbol, rows, since_ms, until_ms, self.at_ms - 1, self.at_ms, now_ms)

    def closed(self, after_ms: int = 0) -> list[tuple[int, dict[str, Candle]]]:
        """Minutes with their candles."""
        self.at_ms += after_ms
        return minutes(self.candles.closed(self.at_ms))

    def wanted(self) -> dict[str, int]:
        """Symbols with the minute from which they are wanted."""
        return {name: (ms - START) // MINUTE for name, ms in self.candles.wanted(self.at_ms).items()}


def minutes(closed: Sequence[CandlesClosed]) -> list[tuple[int, dict[str, Candle]]]:
    return [
        ((each.open_time_ms - START) // MINUTE, {candle.symbol: candle for candle in each.candles})
        for each in closed
    ]


def closes(closed: list[tuple[int, dict[str, Candle]]]) -> list[tuple[int, list[int]]]:
    return [(minute, [candle.close for candle in found.values()]) for minute, found in closed]


# What closes.


def test_candle_without_a_newer_one_stays_open() -> None:
    feed = Feed()
    feed.answered(BTC, row(0, "101"))
    assert feed.closed() == []
    assert feed.wanted() == {}


def test_candle_with_a_newer_one_in_the_same_answer_is_closed() -> None:
    feed = Feed()
    feed.answered(BTC, row(0, "101"), row(1))
    assert closes(feed.closed()) == [(0, [10_100])]
    assert feed.closed() == []


def test_candle_that_a_stream_calls_final_is_closed_at_once() -> None:
    feed = Feed()
    feed.told(BTC, row(0, "103", volume=4.5), final=True)
    (_, found), *_ = feed.closed()
    assert found[BTC] == Candle(BTC, 10_000, 10_300, 10_000, 10_300, 4.5)


def test_newer_candle_on_a_stream_makes_the_one_before_wanted_and_an_answer_closes_it() -> None:
    feed = Feed()
    feed.told(BTC, row(0, "101"))
    feed.told(BTC, row(1))
    assert feed.closed() == []
    assert feed.wanted() == {BTC: 0}
    feed.answered(BTC, row(0, "102", volume="3"), row(1))
    assert closes(feed.closed()) == [(0, [10_200])]


def test_answer_from_before_the_close_that_comes_late_settles_nothing() -> None:
    feed = Feed()
    feed.told(BTC, row(1))
    feed.answered(BTC, row(0, "101"))
    assert feed.closed() == []
    feed.answered(BTC, row(0, "105", volume="9"), row(1))
    assert closes(feed.closed()) == [(0, [10_500])]


def test_candle_that_nobody_confirms_is_taken_as_it_was_seen_after_a_while() -> None:
    feed = Feed()
    feed.told(BTC, row(0, "102", volume="5"))
    feed.told(BTC, row(1))
    feed.told(BTC, row(0, "101", volume="4"))  # reordered: an earlier form of it
    assert feed.closed(after_ms=UNCONFIRMED_MS - 10) == []
    assert closes(feed.closed(after_ms=10)) == [(0, [10_200])]


def test_open_time_waits_for_every_symbol() -> None:
    feed = Feed(BTC, ETH)
    feed.answered(BTC, row(0), row(1))
    assert feed.closed() == []
    feed.answered(ETH, row(0, "99"), row(1))
    assert closes(feed.closed()) == [(0, [10_000, 9_900])]


# What is given out never changes.


def test_revision_after_the_close_is_dropped_and_counted_once() -> None:
    feed = Feed()
    feed.answered(BTC, row(0, "101"), row(1))
    feed.closed()
    feed.answered(BTC, row(0, "109"), row(1), row(2))
    feed.answered(BTC, row(0, "109"), row(1), row(2))
    assert closes(feed.closed()) == [(1, [10_000])]
    assert feed.candles.counts.revised == 1
    assert "revision" in feed.candles.take_notes()[0]
    assert feed.candles.take_notes() == []


def test_repeated_row_is_counted_and_changes_nothing() -> None:
    feed = Feed()
    feed.told(BTC, row(0, "101"), row(0, "101"))
    feed.told(BTC, row(0, "101"))
    assert feed.candles.counts.repeated == 2


# Holes.


def test_hole_is_asked_for_again_and_filled_from_the_exchange() -> None:
    feed = Feed()
    feed.answered(BTC, row(0), row(2, "102"), row(3))
    assert closes(feed.closed()) == [(0, [10_000])]
    assert BTC in feed.wanted()
    feed.answered(BTC, row(0), row(1, "101"), row(2, "102"), row(3))
    assert closes(feed.closed()) == [(1, [10_100]), (2, [10_200])]


def test_hole_that_the_exchange_has_not_either_becomes_a_filled_candle() -> None:
    feed = Feed()
    for _ in range(ASKED_IN_VAIN):
        feed.answered(BTC, row(0, "101"), row(2, "102"), row(3))
    (_, first), (_, filled), (_, third) = feed.closed()
    assert filled[BTC] == Candle(BTC, 10_100, 10_100, 10_100, 10_100, 0.0, filled=True)
    assert not first[BTC].filled and not third[BTC].filled


def test_hole_in_one_answer_twice_told_is_one_answer() -> None:
    feed = Feed()
    rows = [row(0), row(2), row(3)]
    feed.answered(BTC, *rows)
    asked_at_ms = feed.at_ms - 1
    until_ms = START + 100 * MINUTE
    feed.candles.answered(BTC, rows, START, until_ms, asked_at_ms, feed.at_ms, until_ms)
    assert closes(feed.closed()) == [(0, [10_000])]


def test_answer_that_lacks_a_candle_which_is_there_says_nothing_of_holes() -> None:
    feed = Feed()
    feed.answered(BTC, row(0), row(1), row(2))
    feed.closed()
    for _ in range(3):
        feed.answered(BTC, row(4), row(5), since=1)  # without minute 1, which it told before
    assert feed.closed() == []
    feed.answered(BTC, row(1), row(2, "102"), row(3, "103"), row(4), row(5), since=1)
    assert closes(feed.closed()) == [(2, [10_200]), (3, [10_300]), (4, [10_000])]


def test_empty_answers_close_nothing() -> None:
    feed = Feed()
    feed.told(BTC, row(0, "101"))
    for _ in range(4):
        feed.answered(BTC)
    assert feed.closed() == []


def test_symbol_without_trades_holds_the_others_until_it_is_late_and_is_filled() -> None:
    feed = Feed(BTC, ETH)
    feed.answered(BTC, row(0), row(1))
    feed.answered(ETH, row(0, "99"), row(1, "99"))
    feed.closed()
    feed.told(BTC, row(1, "101"), final=True)
    feed.told(BTC, row(2))
    feed.told(BTC, row(2, "102"), final=True)
    feed.told(BTC, row(3))
    feed.at_ms += 1_500
    for _ in range(ASKED_IN_VAIN):
        feed.answered(ETH, row(1, "98", volume="2"), since=1)  # nothing in minute 2
    assert closes(feed.closed()) == [(1, [10_100, 9_800])]
    assert feed.closed(after_ms=1_000) == []
    (minute, found), *_ = feed.closed(after_ms=LATE_MS)
    assert minute == 2 and found[ETH].filled and found[ETH].close == 9_800


def test_symbol_that_never_traded_is_absent_and_open_times_without_any_candle_are_left_out() -> None:
    feed = Feed(BTC, ETH, closed_before=4)
    for _ in range(ASKED_IN_VAIN):
        feed.answered(BTC, row(2), row(3))
        feed.answered(ETH, row(3, "99"))
    assert [(minute, sorted(found)) for minute, found in feed.closed()] == [(2, [BTC]), (3, [BTC, ETH])]


# Bad rows.

BAD = {
    "not a number": row(1, close="NaN"),
    "infinite": row(1, close="Infinity", high="Infinity"),
    "zero": row(1, close="0", low="0"),
    "negative": row(1, close="-1", low="-1"),
    "high too low": row(1, high="99"),
    "low too high": row(1, low="101"),
    "negative volume": row(1, volume="-1"),
    "volume not finite": row(1, volume="inf"),
    "off the grid": [START + MINUTE + 1, "100", "100", "100", "100", "1"],
    "huge": row(1, close="99999999999999999999", high="1e308"),
    "text": row(1, close="<script>"),
    "nothing": row(1, close=None),
    "too short": [START + MINUTE, "100"],
    "empty": [],
    "no time": [None, "100", "100", "100", "100", "1"],
    "true": row(1, close=True),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_row_is_dropped_counted_and_noted(bad: list[Any]) -> None:
    feed = Feed()
    feed.answered(BTC, row(0), bad)
    assert feed.candles.counts.bad == 1
    assert "dropped a bad candle" in feed.candles.take_notes()[0]
    feed.answered(BTC, row(0), row(1, "101"), row(2))
    assert closes(feed.closed()) == [(0, [10_000]), (1, [10_100])]


def test_price_that_falls_by_99_percent_is_a_price() -> None:
    feed = Feed()
    feed.answered(BTC, row(0), row(1, "1", open="1", high="1", low="1"), row(2))
    assert closes(feed.closed()) == [(0, [10_000]), (1, [100])]


def test_row_from_the_future_is_dropped_and_closes_nothing() -> None:
    feed = Feed()
    feed.answered(BTC, row(0), row(60), now_minute=0)
    assert feed.candles.counts.future == 1
    assert feed.closed() == []


def test_exchange_whose_clock_is_30_seconds_behind_its_candles_is_believed() -> None:
    feed = Feed()
    now_ms = START + MINUTE - 30_000
    feed.candles.answered(BTC, [row(0, "101"), row(1)], START, START + 100 * MINUTE, 1, 2, now_ms)
    assert FUTURE_MS > 30_000
    assert closes(minutes(feed.candles.closed(3))) == [(0, [10_100])]


def test_prices_are_rounded_to_the_tick_ties_to_even() -> None:
    feed = Feed()
    feed.told(BTC, row(0, "100.005", high="100.015", volume=1), final=True)
    (_, found), *_ = feed.closed()
    assert (found[BTC].close, found[BTC].high) == (10_000, 10_002)


# Any order.


@st.composite
def _tellings(draw: st.DrawFn) -> tuple[list[Candle], list[tuple[str, list[list[Any]], int]]]:
    """Candles of some minutes, and what was told of them: growing forms, finals, answers, bad rows; all of it
    shuffled and repeated."""
    count = draw(st.integers(2, 6))
    truth, events = [], []
    for minute in range(count):
        steps = draw(st.lists(st.integers(9_000, 11_000), min_size=1, max_size=4))
        for size in range(1, len(steps) + 1):
            path = [10_000, *steps[:size]]
            grown = [
                START + minute * MINUTE,
                *(Decimal(each) * TICK for each in (path[0], max(path), min(path), path[-1])),
                str(size),
            ]
            events.append(("told", [grown], minute))
        truth.append(Candle(BTC, 10_000, max(path), min(path), path[-1], float(len(steps))))
        if draw(st.booleans()):
            events.append(("final", [grown], minute))
        events.append(("told", [draw(st.sampled_from(sorted(BAD.values(), key=repr)))], minute))
    return truth, draw(st.permutations([*events, *draw(st.lists(st.sampled_from(events), max_size=8))]))


@given(_tellings(), st.integers(0, 3))
def test_told_in_any_order_and_repeated_the_closed_candles_are_the_same(
    told: tuple[list[Candle], list[tuple[str, list[list[Any]], int]]], closed_every: int
) -> None:
    truth, events = told
    feed = Feed()
    given_out = []
    for place, (how, rows, _) in enumerate(events):
        feed.told(BTC, *rows, final=how == "final")
        if closed_every and place % closed_every == 0:
            given_out += feed.closed()
    last = len(truth)
    whole = [
        [START + minute * MINUTE, *(Decimal(each) * TICK for each in candle_prices(candle)), candle.volume]
        for minute, candle in enumerate(truth)
    ]
    feed.answered(BTC, *whole, row(last))
    given_out += feed.closed()
    assert [minute for minute, _ in given_out] == list(range(last))
    assert [found[BTC] for _, found in given_out] == truth


def candle_prices(candle: Candle) -> tuple[int, int, int, int]:
    return candle.open, candle.high, candle.low, candle.close


@given(st.permutations(range(8)), st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=8))
def test_answers_of_two_symbols_in_any_order_give_the_same_open_times(
    first: list[int], second: list[int], repeated: list[int]
) -> None:
    """Each answer was asked for when the second of its two candles was growing; it may come much later."""
    feed = Feed(BTC, ETH)
    feed.at_ms = 10 * MINUTE
    given_out = []
    for minute in [*first, *repeated, *second]:
        rows = [row(minute, str(100 + minute)), row(minute + 1)]
        since_ms, asked_at_ms = START + minute * MINUTE, minute * MINUTE + 90_000
        feed.at_ms += 1
        for symbol in (BTC, ETH):
            feed.candles.answered(
                symbol, rows, since_ms, since_ms + 2 * MINUTE, asked_at_ms, feed.at_ms, START + 9 * MINUTE
            )
        given_out += feed.closed()
    assert closes(given_out) == [(minute, [10_000 + 100 * minute] * 2) for minute in range(8)]
