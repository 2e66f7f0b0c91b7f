"""One order at an exchange: sent at most once, and known to its end, whatever goes wrong on the way."""

from decimal import Decimal

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.trading.order_model import CRASHES, Case, Fault, Model, Part, What, placement
from trading.exchange_orders import Absent, Execution, Refused, Standing, Stands, Unknown
from trading.order_tracking import (
    NEVER_ARRIVED,
    NEVER_SENT,
    RECV_WINDOW_MS,
    Ask,
    AskExecutions,
    Cancel,
    Done,
    Send,
    Track,
    Wait,
    next_step,
    sending,
    taken,
    to_be_cancelled,
    tracked,
)
from trading.orders import FINAL, OrderKind, OrderState

faults = st.builds(
    Fault,
    what=st.sampled_from(What),
    took_ms=st.sampled_from((0, 10, 3_000)) | st.integers(0, 3_000),
    late_ms=st.just(RECV_WINDOW_MS) | st.integers(0, RECV_WINDOW_MS),
)
parts = st.builds(Part, after_ms=st.integers(0, 8_000), tenths=st.integers(1, 10))
cases = st.builds(
    Case,
    kind=st.sampled_from(OrderKind),
    parts=st.lists(parts, max_size=4).map(tuple),
    expires_ms=st.integers(9_000, 30_000),
    cancel_ms=st.none() | st.integers(0, 20_000),
    faults=st.lists(faults, max_size=8).map(tuple),
    order_hidden_ms=st.just(900) | st.integers(0, 900),
    fills_hidden_ms=st.integers(0, 3_000),
    acks_with_fills=st.booleans(),
    cancels_at_once=st.booleans(),
)
# The hardest to tell from an order that never came: it comes when it is given up by its own window.
late_cases = st.builds(
    Case,
    parts=st.lists(parts, max_size=2).map(tuple),
    expires_ms=st.just(20_000),
    cancel_ms=st.none() | st.integers(100, 20_000),
    faults=st.builds(
        lambda what, took_ms: (Fault(what, took_ms, RECV_WINDOW_MS),),
        st.sampled_from((What.LATE, What.CRASH_LATE)),
        st.integers(0, 3_000),
    ),
    order_hidden_ms=st.integers(800, 900),
)
LONGEST_MS = 150_000


def lived(case: Case) -> tuple[Track, Model, int]:
    """An order from its first moment to its end: what is known of it, the truth, and when it ended.

    Where our process crashes, the next one knows only what was stored: that the order is wanted.
    """
    model, order = Model(case), placement(case.kind)
    track = tracked("order", order, True, 0)
    now_ms, coming = 0, iter(case.faults)
    while now_ms < LONGEST_MS:
        if case.cancel_ms is not None and now_ms >= case.cancel_ms:
            track = to_be_cancelled(track)
        step = next_step(track, now_ms)
        if isinstance(step, Done):
            return track, model, now_ms
        if isinstance(step, Wait):
            assert step.until_ms > now_ms
            cancel_ms = case.cancel_ms if case.cancel_ms is not None and not track.cancel else step.until_ms
            now_ms = min(step.until_ms, max(cancel_ms, now_ms + 1))
            continue
        if isinstance(step, Send):
            track = sending(track, now_ms)
        fault = next(coming, Fault())
        told = model.answer(step, fault, now_ms)
        now_ms += fault.took_ms
        if fault.what in CRASHES:
            track = tracked("order", order, False, now_ms)
        else:
            track = taken(track, step, told, now_ms)
    raise AssertionError(f"the order does not end: {track}")


@given(cases | late_cases)
def test_order_with_any_faults_is_sent_once_and_ends_as_at_the_exchange(case: Case) -> None:
    track, model, _ = lived(case)
    event(f"{track.state}, sent {model.sends} times")
    assert track.mismatch == ""
    assert model.sends <= 1
    if model.came_ms is None:
        assert track.state in (OrderState.REFUSED, OrderState.CANCELLED)
        assert track.executions == ()
        return
    truth = model.standing(LONGEST_MS)
    assert (track.state, track.filled) == (truth.state, truth.filled)
    assert {each.id: each for each in track.executions} == {each.id: each for each in truth.executions}
    assert len(track.executions) == len(truth.executions)


@given(cases)
def test_order_told_as_final_never_changes_again(case: Case) -> None:
    track, _, now_ms = lived(case)
    assert track.ended and track.told_state in FINAL
    later = next_step(to_be_cancelled(track), now_ms + 1_000_000)
    assert isinstance(later, Done)


def standing(state: OrderState, filled: str = "0", *parts: str) -> Standing:
    """The order of `placement` as the exchange tells it, with executions of these amounts."""
    order = placement()
    executions = tuple(
        Execution(f"fill-{number}", Decimal(100), Decimal(part), Decimal("0.1"), "USDT", 1_000)
        for number, part in enumerate(parts)
    )
    facts = (order.client_id, "7", order.symbol, order.side, order.kind, order.amount)
    return Standing(*facts, state, Decimal(filled), executions)


def sent(answer: object, now_ms: int = 1_000) -> Track:
    """A fresh order that was sent, and answered 100 ms later."""
    track = sending(tracked("order", placement(), True, now_ms), now_ms)
    return taken(track, Send(), answer, now_ms + 100)  # type: ignore[arg-type]


OPEN = sent(Stands(standing(OrderState.OPEN)))


def test_fresh_order_is_sent_and_another_is_asked_for_first() -> None:
    assert next_step(tracked("order", placement(), True, 0), 0) == Send()
    assert next_step(tracked("order", placement(), False, 0), 0) == Ask(0)


def test_fresh_order_whose_cancel_is_wanted_is_never_sent() -> None:
    track = to_be_cancelled(tracked("order", placement(), True, 0))
    assert next_step(track, 0) == Done()
    assert (track.told_state, track.why) == (OrderState.CANCELLED, NEVER_SENT)


def test_refused_send_is_final() -> None:
    track = sent(Refused("insufficient funds"))
    assert next_step(track, 10_000) == Done()
    assert (track.told_state, track.why) == (OrderState.REFUSED, "insufficient funds")


def test_unknown_send_is_asked_for_with_growing_pauses() -> None:
    track, pauses, now_ms = sent(Unknown("time-out")), [], 1_100
    for _ in range(6):
        assert track.told_state is OrderState.UNKNOWN
        step = next_step(track, now_ms)
        assert isinstance(step, Wait)
        pauses.append(step.until_ms - now_ms)
        now_ms = step.until_ms
        assert next_step(track, now_ms) == Ask(now_ms)
        track = taken(track, Ask(now_ms), Unknown("time-out"), now_ms)
    assert pauses == [200, 400, 800, 1_600, 2_000, 2_000]


def test_ban_makes_the_next_question_wait() -> None:
    track = sent(Unknown("418", wait_ms=30_000))
    assert next_step(track, 2_000) == Wait(1_100 + 30_000)


def test_absence_counts_only_after_the_window_and_twice() -> None:
    track = sent(Unknown("time-out"))
    certain_ms = 1_100 + RECV_WINDOW_MS + 1_000
    early = taken(track, Ask(certain_ms - 1), Absent(), certain_ms + 900)
    assert (early.told_state, early.absent_ms) == (OrderState.UNKNOWN, None)
    first = taken(track, Ask(certain_ms), Absent(), certain_ms + 50)
    assert next_step(first, certain_ms + 50) == Wait(certain_ms + 500)
    soon = taken(first, Ask(certain_ms + 499), Absent(), certain_ms + 499)
    assert soon.told_state is OrderState.UNKNOWN
    second = taken(first, Ask(certain_ms + 500), Absent(), certain_ms + 550)
    assert (second.told_state, second.why) == (OrderState.REFUSED, NEVER_ARRIVED)
    assert next_step(second, certain_ms + 600) == Done()


def test_absence_of_an_order_that_was_there_is_not_believed() -> None:
    track, now_ms, asked = OPEN, 1_100, []
    for _ in range(8):
        step = next_step(track, now_ms)
        while isinstance(step, Wait):
            now_ms = step.until_ms
            step = next_step(track, now_ms)
        asked.append(type(step))
        track = taken(track, step, Absent() if isinstance(step, Ask) else (), now_ms)
    assert asked == [Ask, AskExecutions] * 4
    assert track.told_state is OrderState.OPEN


def test_order_that_disappeared_ends_by_its_executions() -> None:
    track = taken(OPEN, Ask(5_000), Absent(), 5_000)
    done = taken(track, AskExecutions(), standing(OrderState.FILLED, "1", "0.4", "0.6").executions, 5_100)
    assert (done.told_state, done.filled, len(done.executions)) == (OrderState.FILLED, Decimal(1), 2)


@pytest.mark.parametrize(
    ("kind", "state", "filled", "poll_ms"),
    [
        (OrderKind.MARKET, OrderState.OPEN, "0", 300),
        (OrderKind.LIMIT, OrderState.OPEN, "0", 2_000),
        (OrderKind.STOP, OrderState.OPEN, "0", 2_000),
        (OrderKind.STOP, OrderState.PARTLY_FILLED, "0.5", 500),
    ],
)
def test_open_order_is_asked_for_by_its_kind(
    kind: OrderKind, state: OrderState, filled: str, poll_ms: int
) -> None:
    track = sending(tracked("order", placement(kind), True, 0), 0)
    track = taken(track, Send(), Stands(replace(standing(state, filled, filled), kind=kind)), 100)
    assert next_step(track, 100) == Wait(100 + poll_ms)


def test_open_order_whose_cancel_is_wanted_is_cancelled_at_once() -> None:
    track = to_be_cancelled(OPEN)
    assert next_step(track, 1_101) == Cancel()
    track = taken(track, Cancel(), Stands(standing(OrderState.CANCELLED, "0.25", "0.25")), 1_200)
    assert next_step(track, 1_200) == Done()
    assert (track.told_state, track.filled) == (OrderState.CANCELLED, Decimal("0.25"))


@pytest.mark.parametrize("answer", [Absent(), Unknown("reset"), Refused("-2011")])
def test_cancel_without_a_clear_answer_is_followed_by_a_question(answer: Absent | Unknown | Refused) -> None:
    track = taken(to_be_cancelled(OPEN), Cancel(), answer, 2_000)
    assert track.told_state is OrderState.OPEN
    assert next_step(track, 2_000) == Wait(2_200)
    assert next_step(track, 2_200) == Ask(2_200)
    track = taken(track, Ask(2_200), Stands(standing(OrderState.OPEN)), 2_300)
    assert next_step(track, 2_300) == Cancel()


def test_cancel_of_an_order_of_unknown_fate_waits_for_it() -> None:
    track = to_be_cancelled(sent(Unknown("time-out")))
    assert next_step(track, 1_300) == Ask(1_300)
    track = taken(track, Ask(1_300), Stands(standing(OrderState.OPEN)), 1_400)
    assert next_step(track, 1_400) == Cancel()


@pytest.mark.parametrize("state", [OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED])
def test_order_with_untold_executions_is_not_final(state: OrderState) -> None:
    track = sent(Stands(standing(state, "1", "0.4")))
    assert track.told_state is OrderState.PARTLY_FILLED
    assert next_step(track, 1_100) == AskExecutions()
    track = taken(track, AskExecutions(), standing(state, "1", "0.4").executions, 1_100)
    assert next_step(track, 1_100) == Wait(1_300)
    more = standing(state, "1", "0.4", "0.6").executions
    assert taken(track, AskExecutions(), more, 1_400).told_state is state


def test_fills_of_an_order_that_goes_on_are_asked_for_as_they_come() -> None:
    track = taken(OPEN, Ask(5_000), Stands(standing(OrderState.PARTLY_FILLED, "0.4")), 5_000)
    assert next_step(track, 5_000) == AskExecutions()
    told = standing(OrderState.PARTLY_FILLED, "0.4", "0.4").executions
    track = taken(track, AskExecutions(), told, 5_100)
    assert (track.told_state, track.executions) == (OrderState.PARTLY_FILLED, told)
    assert next_step(track, 5_100) == Wait(5_600)
    assert next_step(to_be_cancelled(track), 5_100) == Cancel()


def test_filled_order_without_an_amount_is_not_believed() -> None:
    assert sent(Stands(standing(OrderState.FILLED))).told_state is OrderState.UNKNOWN


def test_execution_is_kept_as_it_was_first_told_with_its_fee() -> None:
    told = standing(OrderState.PARTLY_FILLED, "0.4", "0.4")
    bare = replace(told.executions[0], fee=Decimal(0), fee_currency="")
    other = replace(told.executions[0], fee=Decimal(9))
    track = sent(Stands(replace(told, executions=(bare,))))
    for executions in (told.executions, (other,), (bare,)):
        track = taken(track, AskExecutions(), executions, 2_000)
        assert track.executions == told.executions


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("symbol", "ETH/USDT"),
        ("side", "SELL"),
        ("amount", Decimal(2)),
        ("client_id", "somebody-else"),
        ("exchange_id", "8"),
        ("filled", Decimal(2)),
    ],
)
def test_order_that_is_not_ours_stops_everything(fact: str, value: object) -> None:
    stands = Stands(replace(standing(OrderState.OPEN), **{fact: value}))
    track = taken(OPEN, Ask(5_000), stands, 5_000)
    assert str(value) in track.mismatch
    assert track.told_state is OrderState.UNKNOWN
    assert next_step(track, 100_000) == Done()


def test_smaller_fill_is_an_old_answer_until_it_lasts() -> None:
    track = sent(Stands(standing(OrderState.PARTLY_FILLED, "0.4", "0.4")))
    old = Stands(standing(OrderState.OPEN))
    track = taken(track, Ask(5_000), old, 5_000)
    assert (track.mismatch, track.filled) == ("", Decimal("0.4"))
    track = taken(track, Ask(8_000), old, 8_000)
    assert track.mismatch == ""
    assert "0.4 was filled, but 0 at the exchange" in taken(track, Ask(8_001), old, 8_001).mismatch
    better = taken(track, Ask(8_001), Stands(standing(OrderState.FILLED, "1", "0.4", "0.6")), 8_001)
    assert better.told_state is OrderState.FILLED
