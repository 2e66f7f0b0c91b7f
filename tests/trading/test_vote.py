"""The vote (rulebook 3): scores, ties, threshold, quorum, and how long a signal counts."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules import PERCENT, WHOLE, Seat, VoteRules
from trading.signals import Side, Signal
from trading.vote import Outcome, Why, tally

HOUR_MS = 3_600_000
NOW_MS = 1_000 * HOUR_MS
HALF = VoteRules(confidence_threshold=50 * PERCENT, quorum=500_000)
BUY, SELL, HOLD = Side.BUY, Side.SELL, Side.HOLD
# weight and confidence in millionths; None is absent
Said = tuple[int, Side, int | None]

SAID = st.tuples(
    st.sampled_from([1, 333_333, 500_000, 1_000_000, 2_000_000]),
    st.sampled_from([BUY, SELL, HOLD]),
    st.none() | st.sampled_from([0, 1, 50 * PERCENT, WHOLE]) | st.integers(0, WHOLE),
)
RULES = st.builds(
    VoteRules, st.sampled_from([0, 50 * PERCENT, WHOLE]), st.sampled_from([0, 500_000, 1_000_000])
)


def vote(*said: Said, rules: VoteRules = HALF, order: list[int] | None = None) -> Outcome:
    seats = [Seat(f"s{place}", weight) for place, (weight, _, _) in enumerate(said)]
    signals = {
        f"s{place}": Signal(side, confidence, (), f"s{place}", "BTC/USDT", NOW_MS)
        for place, (_, side, confidence) in enumerate(said)
        if confidence is not None
    }
    seats = seats if order is None else [seats[place] for place in order]
    return tally(signals, dict.fromkeys((seat.name for seat in seats), HOUR_MS), seats, rules, NOW_MS)


def one(side: Side, percent: float, weight: float = 1) -> Said:
    return round(weight * 1e6), side, round(percent * PERCENT)


@pytest.mark.parametrize(
    ("said", "side", "why", "score"),
    [
        ([], HOLD, Why.NO_VOTES, 0),
        ([one(BUY, 0)], HOLD, Why.NO_VOTES, 0),
        ([one(BUY, 60), one(HOLD, 0)], BUY, Why.WON, 60),  # no opinion does not weigh
        ([one(BUY, 100), one(SELL, 100)], HOLD, Why.TIE, 50),
        ([one(BUY, 80), one(HOLD, 80)], HOLD, Why.TIE, 40),
        ([one(SELL, 90, 2), one(BUY, 100), one(HOLD, 10)], HOLD, Why.UNDER_THRESHOLD, 45),
        ([one(BUY, 100), one(SELL, 1)], BUY, Why.WON, 50),  # the threshold itself is enough
        ([one(BUY, 99.999999), one(SELL, 1)], HOLD, Why.UNDER_THRESHOLD, 49.9999995),
        ([one(HOLD, 2), one(BUY, 1)], HOLD, Why.WON, 1),  # HOLD needs no threshold
    ],
)
def test_outcome_of_signals_is_the_computed_one(said: list[Said], side: Side, why: Why, score: float) -> None:
    outcome = vote(*said)
    assert (outcome.side, outcome.why) == (side, why)
    assert outcome.score_percent == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize(("absent_weight", "why"), [(1_000_000, Why.WON), (1_000_001, Why.NO_QUORUM)])
def test_quorum_of_exactly_half_the_weight_is_reached(absent_weight: int, why: Why) -> None:
    assert vote(one(BUY, 100), (absent_weight, BUY, None)).why is why


def test_signal_without_opinion_counts_for_the_quorum() -> None:
    absent = (1_000_000, BUY, None)
    assert vote(one(BUY, 100), absent, absent).why is Why.NO_QUORUM
    assert vote(one(BUY, 100), one(HOLD, 0), absent).why is Why.WON


def test_disabled_seat_neither_votes_nor_weighs_in_the_quorum() -> None:
    signal = Signal(SELL, WHOLE, (), "off", "BTC/USDT", NOW_MS)
    seats = [Seat("off", 9_000_000, enabled=False), Seat("on", 1_000_000)]
    signals = {"off": signal, "on": Signal(BUY, WHOLE, ("up",), "on", "BTC/USDT", NOW_MS)}
    outcome = tally(signals, {"off": HOUR_MS, "on": HOUR_MS}, seats, HALF, NOW_MS)
    assert outcome.side is BUY
    assert [(cast.strategy, cast.reasons) for cast in outcome.votes] == [("on", ("up",))]


@pytest.mark.parametrize(("age", "counts"), [(0, True), (1, True), (2, True), (3, False)])
def test_signal_valid_for_three_candles_counts_at_three_closes(age: int, counts: bool) -> None:
    signal = Signal(BUY, WHOLE, (), "s", "BTC/USDT", NOW_MS - age * HOUR_MS)
    outcome = tally({"s": signal}, {"s": 3 * HOUR_MS}, [Seat("s", 1_000_000)], HALF, NOW_MS)
    assert (outcome.side is BUY) == counts
    assert bool(outcome.votes) == counts


@given(st.lists(SAID, max_size=6), RULES)
def test_outcome_of_any_signals_is_that_of_exact_fractions(said: list[Said], rules: VoteRules) -> None:
    outcome = vote(*said, rules=rules)
    opinions = [(weight, side, confidence) for weight, side, confidence in said if confidence]
    total = sum(weight for weight, _, _ in opinions)
    scores = {side: Fraction(sum(w * c for w, s, c in opinions if s is side), max(total, 1)) for side in Side}
    best = max(scores.values())
    leaders = [side for side in Side if scores[side] == best]
    answered = sum(weight for weight, _, confidence in said if confidence is not None)
    wins = (
        bool(opinions)
        and len(leaders) == 1
        and (leaders[0] is HOLD or best >= rules.confidence_threshold)
        and Fraction(answered) >= Fraction(rules.quorum, 1_000_000) * sum(w for w, _, _ in said)
    )
    assert outcome.side is (leaders[0] if wins else HOLD)
    assert (outcome.why is Why.WON) == wins
    assert 0 <= outcome.score_percent <= 100
    assert outcome.score_percent == pytest.approx(float(best / PERCENT), rel=1e-12)
    assert len(outcome.votes) == sum(confidence is not None for _, _, confidence in said)


@given(st.data(), st.lists(SAID, max_size=6), RULES)
def test_order_of_seats_changes_no_outcome(data: st.DataObject, said: list[Said], rules: VoteRules) -> None:
    order = data.draw(st.permutations(range(len(said))))
    straight, mixed = vote(*said, rules=rules), vote(*said, rules=rules, order=order)
    assert (mixed.side, mixed.why, mixed.score_percent) == (
        straight.side,
        straight.why,
        straight.score_percent,
    )
    assert sorted(mixed.votes, key=repr) == sorted(straight.votes, key=repr)
