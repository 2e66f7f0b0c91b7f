"""Rows as messages: every word that a table may hold is known, decimals and times stay what they are."""

from decimal import Decimal

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from actors.persistence.pages import LAST_MS
from actors.persistence.rows import decision_row
from control import rows
from control.explanation import explanation
from trading.decisions import Level, OutcomeDecided, Refusal, Refused
from trading.orders import OrderState
from trading.signals import Side
from trading.vote import Outcome, Vote, Why

VOTES = (
    Vote("cross", Side.BUY, 80_000_000, 1_500_000, 0, ("SMA 20 over SMA 50",)),
    Vote("technical", Side.HOLD, 0, 1_000_000, 0),
)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_decimal_text_is_exact_and_plain(value: Decimal) -> None:
    text = rows.decimal_text(value)
    assert Decimal(text) == value
    assert set(text) <= set("-0123456789.")
    assert not (value == 0 and text.startswith("-"))


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (1, "0.000001"), (72_500_000, "72.5"), (-1_500_000, "-1.5")]
)
def test_millionths_have_no_idle_zeros(count: int, text: str) -> None:
    assert rows.millionths_text(count) == text


@given(st.integers(0, LAST_MS))
def test_timestamp_and_milliseconds_are_each_others_inverse(time_ms: int) -> None:
    assert rows.milliseconds(rows.timestamp(time_ms)) == time_ms
    assert rows.timestamp(time_ms).ToMilliseconds() == time_ms


def test_milliseconds_of_a_moment_between_two_is_the_later_one() -> None:
    assert rows.milliseconds(Timestamp(seconds=1, nanos=1)) == 1001


def test_every_stored_word_has_a_number() -> None:
    assert set(rows.SIDES) == {each.value for each in Side}
    assert set(rows.ORDER_STATES) == {each.value for each in OrderState}
    assert set(rows.LEVELS) == {each.value for each in Level}


def test_votes_with_and_without_reasons_are_told() -> None:
    stored = '[["cross","BUY",80000000,1500000,1000,["a reason"]],["mood","SELL",1,0,2000]]'
    first, second = rows.vote_messages(stored, {("mood", 2000): ["because"]})
    assert (first.confidence_percent, first.weight, list(first.reasons)) == ("80", "1.5", ["a reason"])
    assert (second.confidence_percent, second.weight, list(second.reasons)) == ("0.000001", "0", ["because"])
    assert rows.vote_messages(None) == []


@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("side", list(Side))
def test_every_outcome_without_an_order_has_a_sentence(why: Why, side: Side) -> None:
    decided = OutcomeDecided(0, "BTC/USDT", Outcome(side, why, 72.5, VOTES))
    sentence = explanation(decision_row(decided))
    assert "(cross BUY 80 %, technical no opinion)" in sentence
    assert "nothing to do" in sentence


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_a_sentence(refusal: Refusal) -> None:
    verdict = Refused(refusal, "until an operator resumes")
    decided = OutcomeDecided(0, "BTC/USDT", Outcome(Side.BUY, Why.WON, 72.5, VOTES), verdict)
    message = rows.decision_message(decision_row(decided))
    head, _, tail = message.explanation.partition(": refused, ")
    assert head == "BUY won with 72.5 % (cross BUY 80 %, technical no opinion)"
    assert tail.endswith("until an operator resumes")
    assert message.refusal == refusal.value


def test_a_refusal_without_a_detail_has_no_loose_end() -> None:
    verdict = Refused(Refusal.KILLED)
    decided = OutcomeDecided(0, "BTC/USDT", Outcome(Side.BUY, Why.WON, 72.5, ()), verdict)
    assert explanation(decision_row(decided)) == "BUY won with 72.5 %: refused, the kill switch is thrown"
