"""The tables against the engine that the entries came from."""

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.persistence import tables
from actors.persistence.reader import Reader
from actors.persistence.store import Store
from tests.actors.persistence.conftest import PAPER
from tests.support.runs import FIRST_OPEN_MS, HOUR_MS, RandomRun, batches, rules_of
from trading.decisions import (
    EquityMarked,
    FillBooked,
    Noticed,
    OrderEnded,
    OrderIntended,
    OutcomeDecided,
    TradeClosed,
)
from trading.events import Abstention, CandlesClosed, SignalsCollected
from trading.journal import Entry
from trading.orders import Reason
from trading.signals import Side, Signal
from trading.vote import Vote

ALL = 1_000_000


def decided(entries: list[Entry], kind: type[Any]) -> list[Any]:
    """The decisions of one type, in order."""
    return [each for entry in entries for each in entry.decisions if isinstance(each, kind)]


def exact(units: int, decimals: int = 8) -> Decimal:
    """Units of 10^-decimals as a Decimal, by way of text."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(decimals + 1, "0")
    return Decimal(f"{sign}{digits[:-decimals]}.{digits[-decimals:]}")


@pytest.fixture
def source() -> RandomRun:
    """A run in which every kind of thing happens."""
    return RandomRun(rules_of(), seed=21)


def test_tables_hold_what_the_engine_decided(store: Store, reader: Reader, source: RandomRun) -> None:
    run = store.begin(PAPER, source.started)
    entries = source.entries(400)
    for group in batches(entries, 33):
        store.append(run.id, group)
    trades = reader.newest(tables.trades, run.id, ALL)
    wanted = {each.trade.entry_order_id: each.trade for each in decided(entries, TradeClosed)}
    assert len(trades) == len(wanted) > 10
    for row in trades:
        trade = wanted[row["entry_order_id"]]
        for money in ("entry_notional", "entry_fee", "exit_notional", "exit_fee", "realized_profit"):
            assert row[money] == exact(getattr(trade, money)), money
        assert (row["entry_price"], row["exit_price"]) == (
            exact(trade.entry_price, 2),
            exact(trade.exit_price, 2),
        )
        assert row["amount"] == exact(trade.amount, 5)
        assert (row["entry_time"], row["exit_time"]) == (trade.entry_time_ms, trade.exit_time_ms)
        assert row["exit_reason"] == trade.exit_reason
    fills = {row["id"]: row for row in reader.newest(tables.fills, run.id, ALL)}
    booked = [each.fill for each in decided(entries, FillBooked)]
    assert {(fill.id, exact(fill.fee)) for fill in booked} == {(id, row["fee"]) for id, row in fills.items()}
    assert all(row["notional"] == row["price"] * row["amount"] for row in fills.values())
    equity = reader.newest(tables.equity, run.id, ALL)
    assert [(row["open_time"], row["equity"], row["cash"], row["held"]) for row in reversed(equity)] == [
        (each.open_time_ms, exact(each.equity), exact(each.cash), each.held)
        for each in decided(entries, EquityMarked)
    ]


def test_orders_are_in_the_state_that_their_last_decision_left(
    store: Store, reader: Reader, source: RandomRun
) -> None:
    run = store.begin(PAPER, source.started)
    entries = source.entries(400)
    for group in batches(entries, 7):
        store.append(run.id, group)
    states = {each.order.id: "waiting" for each in decided(entries, OrderIntended)}
    filled = {each.fill.order_id: each.fill for each in decided(entries, FillBooked)}
    ended = {each.ending.order_id: each.ending for each in decided(entries, OrderEnded)}
    states.update(dict.fromkeys(filled, "filled"))
    states.update({id: ending.state.value for id, ending in ended.items()})
    orders = {row["id"]: row for row in reader.newest(tables.orders, run.id, ALL)}
    assert {id: row["state"] for id, row in orders.items()} == states
    assert {id: row["ended_why"] for id, row in orders.items() if row["ended_why"]} == {
        id: ending.why for id, ending in ended.items()
    }
    assert {row["reason"] for id, row in orders.items() if id in filled} >= {"kill_switch", "close_all"}
    assert all(orders[id]["reason"] == fill.reason for id, fill in filled.items())
    assert set(states.values()) >= {"filled", "cancelled"}
    waiting = [id for id, state in states.items() if state == "waiting"]
    assert [row["id"] for row in reader.waiting_orders(run.id)] == waiting


def test_stop_and_target_fills_make_their_own_order(store: Store, reader: Reader, source: RandomRun) -> None:
    run = store.begin(PAPER, source.started)
    entries = source.entries(400)
    store.append(run.id, entries)
    protection = [
        each.fill for each in decided(entries, FillBooked) if each.fill.reason in ("stop", "take_profit")
    ]
    orders = {row["id"]: row for row in reader.newest(tables.orders, run.id, ALL)}
    assert {fill.reason for fill in protection} == {Reason.STOP, Reason.TAKE_PROFIT}
    for fill in protection:
        row = orders[fill.order_id]
        assert (row["kind"], row["state"], row["side"]) == (fill.reason.value, "filled", "SELL")
        assert (row["amount"], row["decided_at"]) == (exact(fill.amount, 5), fill.time_ms)
    others = [row for id, row in orders.items() if id not in {fill.order_id for fill in protection}]
    assert {row["kind"] for row in others} == {"market"}


def test_positions_and_risk_state_are_those_of_the_state(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=22, commands=False)
    run = store.begin(PAPER, source.started)
    seen_held = seen_flat = False
    for _ in range(60):
        store.append(run.id, source.entries(1), source.engine.state)
        state = source.engine.state
        held = {each.symbol: each for each in state.positions()}
        rows = reader.positions(run.id)
        assert [row["symbol"] for row in rows] == sorted(held)
        for row in rows:
            position = held[row["symbol"]]
            assert row["stop"] == exact(position.stop, 2)
            assert row["highest_close"] == exact(position.highest_close, 2)
            assert row["entry_notional"] == exact(position.entry_notional)
        seen_held, seen_flat = seen_held or bool(rows), seen_flat or not rows
        risk = reader.risk_state(run.id)
        assert risk is not None
        assert (risk["sequence"], risk["equity"], risk["cash"], risk["day_base"], risk["day_end"]) == (
            state.sequence,
            exact(state.equity),
            exact(state.cash),
            exact(state.day_base),
            state.day_end_ms,
        )
    assert seen_held and seen_flat


def test_positions_without_a_state_are_those_opened_and_not_closed(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=23, commands=False)
    run = store.begin(PAPER, source.started)
    counts = set()
    for _ in range(40):
        store.append(run.id, source.entries(1))
        symbols = {each.symbol for each in source.engine.state.positions()}
        assert {row["symbol"] for row in reader.positions(run.id)} == symbols
        counts.add(len(symbols))
    assert counts == {0, 1, 2}


def test_decisions_keep_every_outcome_with_compact_votes(
    store: Store, reader: Reader, source: RandomRun
) -> None:
    run = store.begin(PAPER, source.started)
    entries = source.entries(200)
    store.append(run.id, entries)
    outcomes = {(each.open_time_ms, each.symbol): each for each in decided(entries, OutcomeDecided)}
    rows = reader.newest(tables.decisions, run.id, ALL)
    assert len(rows) == len(outcomes) == 400
    for row in rows:
        outcome = outcomes[row["open_time"], row["symbol"]].outcome
        votes = [Vote(name, Side(side), *rest) for name, side, *rest in json.loads(row["votes"] or "[]")]
        assert votes == [
            Vote(v.strategy, v.side, v.confidence, v.weight, v.open_time_ms) for v in outcome.votes
        ]
        assert (row["side"], row["why"]) == (outcome.side, outcome.why)
        assert row["score_percent"] == outcome.score_percent
        assert len(row["votes"] or "") < 130
    verdicts = {row["verdict"] for row in rows}
    assert verdicts == {None, "approved", "refused"}
    assert all((row["verdict"] == "refused") == (row["refusal"] is not None) for row in rows)
    assert all((row["verdict"] == "approved") == (row["order_id"] is not None) for row in rows)


def test_signals_keep_every_answer_and_every_abstention(
    store: Store, reader: Reader, source: RandomRun
) -> None:
    run = store.begin(PAPER, source.started)
    entries = source.entries(50)
    store.append(run.id, entries)
    collected = [entry.event for entry in entries if isinstance(entry.event, SignalsCollected)]
    rows = {
        (row["open_time"], row["symbol"], row["strategy"]): row
        for row in reader.newest(tables.signals, run.id, ALL)
    }
    assert len(rows) == sum(len(each.signals) + len(each.abstentions) for each in collected)
    for signal in (signal for each in collected for signal in each.signals):
        row = rows[signal.open_time_ms, signal.symbol, signal.strategy]
        assert (row["side"], row["confidence_percent"]) == (signal.side, exact(signal.confidence, 6))
        assert json.loads(row["reasons"] or "[]") == list(signal.reasons)
    for each in collected:
        for absent in each.abstentions:
            row = rows[each.open_time_ms, absent.symbol, absent.strategy]
            assert (row["side"], row["reasons"]) == (None, '["late"]')


@pytest.mark.parametrize("together", [True, False])
def test_signal_that_comes_late_takes_the_place_of_its_abstention(
    store: Store, reader: Reader, together: bool
) -> None:
    source = RandomRun(rules_of(("BTC/USDT",)), seed=1)
    run = store.begin(PAPER, source.started)
    late = Signal(Side.BUY, 70_000_000, ("a cross",), "cross", "BTC/USDT", FIRST_OPEN_MS)
    candles = [each.event for each in source.entries(9) if isinstance(each.event, CandlesClosed)]
    entries = [
        Entry(1, candles[0]),
        Entry(2, SignalsCollected(FIRST_OPEN_MS, (), (Abstention("cross", "BTC/USDT", "late"),))),
        Entry(3, candles[1]),
        Entry(4, SignalsCollected(FIRST_OPEN_MS + HOUR_MS, (late,))),
    ]
    for group in [entries] if together else [[each] for each in entries]:
        store.append(run.id, group)
    (row,) = reader.newest(tables.signals, run.id, ALL)
    assert (row["open_time"], row["side"], row["reasons"]) == (FIRST_OPEN_MS, "BUY", '["a cross"]')


def test_candles_are_kept_with_their_exact_prices(store: Store, reader: Reader, source: RandomRun) -> None:
    run = store.begin(PAPER, source.started)
    entries = source.entries(30)
    store.append(run.id, entries)
    rows = {(row["open_time"], row["symbol"]): row for row in reader.newest(tables.candles, run.id, ALL)}
    closed = [entry.event for entry in entries if isinstance(entry.event, CandlesClosed)]
    for event in closed:
        for candle in event.candles:
            row = rows[event.open_time_ms, candle.symbol]
            prices = (candle.open, candle.high, candle.low, candle.close)
            assert (row["open"], row["high"], row["low"], row["close"]) == tuple(exact(p, 2) for p in prices)
            assert (row["volume"], row["filled"]) == (candle.volume, candle.filled)
    assert len(rows) == 60


def test_notices_stand_in_the_log_at_the_time_of_their_event(
    store: Store, reader: Reader, source: RandomRun
) -> None:
    run = store.begin(PAPER, source.started)
    entries = source.entries(200)
    store.append(run.id, entries)
    lines = list(reversed(reader.log(ALL)))
    notices = decided(entries, Noticed)
    assert [(line["level"], line["code"], line["text"]) for line in lines] == [
        (each.level.value, each.code, each.text) for each in notices
    ]
    assert len(notices) > 10
    assert {line["source"] for line in lines} == {"engine"}
    assert all(before["time"] <= after["time"] for before, after in pairwise(lines))


def test_risk_state_holds_every_switch(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=56)
    run = store.begin(PAPER, source.started)
    seen = set()
    for _ in range(80):
        store.append(run.id, source.entries(1), source.engine.state)
        state, row = source.engine.state, reader.risk_state(run.id)
        assert row is not None
        switches = (state.day_blocked, state.paused, state.killed, state.verified_flat)
        assert (row["day_blocked"], row["paused"], row["killed"], row["verified_flat"]) == switches
        assert (row["reference"], row["peak"]) == (exact(state.reference), exact(state.peak))
        seen.add(switches)
    assert {bool(value) for _, _, *rest in seen for value in rest} == {True, False}
    assert {(blocked, paused) for blocked, paused, *_ in seen} >= {
        (True, False),
        (False, True),
        (False, False),
    }


MARKETS = st.fixed_dictionaries(
    {
        "tick": st.sampled_from(["0.00000001", "0.01", "0.5", "0.00000025"]),
        "lot": st.sampled_from(["0.00000001", "0.001", "10"]),
        "capital": st.sampled_from(
            ["1000000000000", "123456789.0000000000000001", "999999999999999999999", "1000"]
        ),
    }
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(market=MARKETS, seed=st.integers(0, 100))
def test_money_of_any_size_and_unit_is_exact_to_the_last_digit(
    store: Store, reader: Reader, market: dict[str, Any], seed: int
) -> None:
    source = RandomRun(rules_of(("BTC/USDT",), **market), seed)
    run = store.begin(PAPER, source.started)
    entries = source.entries(25)
    store.append(run.id, entries, source.engine.state)
    decimals = run.rules.quote_decimals
    rows = reader.newest(tables.equity, run.id, ALL)
    marked = [(exact(e.equity, decimals), exact(e.cash, decimals)) for e in decided(entries, EquityMarked)]
    assert [(row["equity"], row["cash"]) for row in reversed(rows)] == marked
    profits = {exact(each.trade.realized_profit, decimals) for each in decided(entries, TradeClosed)}
    assert {row["realized_profit"] for row in reader.newest(tables.trades, run.id, ALL)} == profits
    store.archive(run.id)
