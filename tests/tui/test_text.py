"""Text for the screen: exact figures, UTC, nothing that steers the terminal."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tui import text
from tui.settings import BadSettings, parse_settings


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "-"),
        ("NaN", "-"),
        ("x", "-"),
        ("0", "0"),
        ("1234567.50", "1,234,567.5"),
        ("-0.00012", "-0.00012"),
    ],
)
def test_number_is_exact_or_absent(value: str, shown: str) -> None:
    assert text.number(value) == shown


def test_price_has_two_places_and_as_many_as_it_needs() -> None:
    assert [text.price(value) for value in ("64000", "0.000012", "3.5", "")] == [
        "64,000.00",
        "0.000012",
        "3.50",
        "-",
    ]


def test_gain_has_its_sign() -> None:
    assert [text.signed(value) for value in ("5", "-5.126", "0", "")] == ["+5.00", "-5.13", "+0.00", "-"]


def test_absent_and_impossible_times_are_dashes() -> None:
    assert text.moment(Timestamp()) == text.moment(Timestamp(seconds=10**15)) == "-"
    assert text.second(Timestamp(seconds=1_773_489_600)) == "2026-03-14 12:00:00"


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\x7f", "\u202e", "\u200b", "\u2028", "\x9b"])
def test_control_characters_are_shown_by_number(character: str) -> None:
    shown = text.visible(f"a{character}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")


@pytest.mark.parametrize("width", [4, 10, 33])
def test_bar_is_as_wide_as_asked_and_grows(width: int) -> None:
    bars = [text.bar(share / 20, width) for share in range(-2, 25)]
    assert {len(bar) for bar in bars} == {width}
    filled = [bar.count("█") for bar in bars]
    assert filled == sorted(filled)
    assert (bars[0], bars[-1]) == ("░" * width, "█" * width)


def test_span_names_its_two_largest_units() -> None:
    assert [text.span(seconds) for seconds in (0, 59, 3_700, 90_061)] == [
        "0 s",
        "59 s",
        "1 h 1 min",
        "1 d 1 h",
    ]


def test_settings_may_hold_lists_and_ranges() -> None:
    assert parse_settings("a.b=5,10, c=1:5:2;d=x") == [("a.b", "5,10"), ("c", "1:5:2"), ("d", "x")]
    assert parse_settings("fast=20, slow=50") == [("fast", "20"), ("slow", "50")]


@pytest.mark.parametrize("words", ["fast", "=5", "fast=", "5,fast=1"])
def test_settings_that_are_no_pairs_are_refused(words: str) -> None:
    with pytest.raises(BadSettings, match="KEY=VALUE"):
        parse_settings(words)
