"""The journal: entries read back as written, and the events alone give the same state, byte for byte."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runs import RandomRun
from tests.support.runs import rules_of as busy_rules
from tests.trading.accounts import BTC, ETH, HOUR_MS, START_MS, Account, rules_with
from tests.trading.live_world import World
from trading.decisions import AnyDecision
from trading.events import (
    AddStrategy,
    AnyEvent,
    ChangeLimits,
    ChangeRules,
    ChangeStrategy,
    CloseAll,
    ClosePosition,
    MarketsChanged,
    Pause,
    RemoveStrategy,
    ResetKill,
    Resume,
)
from trading.journal import Entry, decode_entry, encode_entry, replay, restore, snapshot
from trading.rules import PERCENT, Seat
from trading.signals import Side


def eventful() -> Account:
    """A run in which every event and every decision occurs."""
    rules = rules_with((BTC, ETH), stop_loss_percent=5 * PERCENT)
    account = Account(rules, START_MS + 20 * HOUR_MS)
    quiet, fall = {BTC: 1_000, ETH: 1_000}, {BTC: 1_000, ETH: (1_000, 1_000, 900, 900)}
    account.command(Pause)
    account.command(Resume)
    account.hour(quiet, BTC="BUY")
    account.hour(quiet, ETH="BUY")
    account.command(ClosePosition, symbol=ETH)
    account.hour(quiet, ETH="BUY", BTC="HOLD")
    account.hour(fall)
    account.hour(quiet, BTC="SELL")
    account.command(CloseAll)
    account.kill()
    account.hour({BTC: None, ETH: None}, ETH="BUY")
    account.hour(quiet)
    account.command(ResetKill, why="looked at it")
    account.command(ChangeLimits, limits=rules.limits)
    account.command(AddStrategy, seat=Seat("second", 1))
    account.command(ChangeStrategy, name="second", enabled=False)
    account.command(RemoveStrategy, name="second")
    account.command(ChangeRules, rules=rules)
    account.hour(quiet, BTC="BUY")
    return account


def eventful_life() -> World:
    """A live run in which everything occurs that only a live run has."""
    world = World()
    world.pass_time(1_000)
    world.candle(Side.BUY)
    world.pass_time(1_000)
    world.handle(MarketsChanged(world.now_ms, world.rules.markets))
    world.candle(Side.SELL)
    world.pass_time(2_000)
    return world


ENTRIES = [*eventful().entries, *eventful_life().entries]


def test_run_here_has_every_event_and_every_decision() -> None:
    assert {type(entry.event) for entry in ENTRIES} == set(get_args(AnyEvent))
    decisions = {type(each) for entry in ENTRIES for each in entry.decisions}
    assert decisions == set(get_args(AnyDecision))


@pytest.mark.parametrize("kind", get_args(AnyEvent), ids=lambda kind: kind.__name__)
def test_entry_of_any_event_reads_back_as_written(kind: Any) -> None:
    entries = [entry for entry in ENTRIES if isinstance(entry.event, kind)]
    assert [decode_entry(encode_entry(entry)) for entry in entries] == entries


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b'[1, {"type": "Nothing"}]', b'["x", {"type": "Pause"}]']
)
def test_entry_of_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_entry(body)


@given(st.integers(0, 10**6), st.data())
@settings(max_examples=25)
def test_replay_from_any_snapshot_gives_the_same_state_and_decisions(seed: int, data: st.DataObject) -> None:
    run = RandomRun(busy_rules(), seed)
    first = run.entries(data.draw(st.integers(1, 40)))
    middle = snapshot(run.engine.state)
    entries = [Entry(0, run.started), *first, *run.entries(40)]
    stored = [decode_entry(encode_entry(entry)) for entry in entries]
    end = snapshot(run.engine.state)
    assert snapshot(replay(None, stored).state) == end
    assert snapshot(replay(restore(middle), stored).state) == end  # what was handled is passed over
    engine = restore(middle)
    for entry in stored[len(first) + 1 :]:
        assert tuple(engine.handle(entry.event)) == entry.decisions


def test_replay_without_an_entry_between_names_it() -> None:
    with pytest.raises(ValueError, match="journal entry 3 is missing"):
        replay(None, [*ENTRIES[:3], *ENTRIES[4:]])


def test_replay_without_a_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with RunStarted"):
        replay(None, ENTRIES[1:])
    with pytest.raises(ValueError, match="is empty"):
        replay(None, [])
