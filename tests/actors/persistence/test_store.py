"""The writer: what it stores once, what it refuses, and how a run goes on."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from actors.persistence.reader import Reader
from actors.persistence.runs import Mode, RunSetup, Status
from actors.persistence.store import Store
from tests.actors.persistence.conftest import NOW_MS, PAPER, stored_run
from tests.support.runs import HOUR_MS, RandomRun, batches, rules_of
from trading.errors import OperationError, StorageError
from trading.events import CandlesClosed
from trading.journal import Entry, snapshot


def test_begin_in_an_empty_database_stores_the_run_and_its_start(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=1)
    run = store.begin(PAPER, source.started)
    assert (run.mode, run.status, run.rules) == (Mode.PAPER, Status.ACTIVE, source.started.rules)
    assert (run.settings, run.source, run.simulated) == (PAPER.settings, PAPER.source, True)
    assert (run.created_ms, run.finished_ms) == (NOW_MS, None)
    assert reader.active_run() == run
    assert list(store.recover(run.id).entries) == [Entry(0, source.started)]
    assert store.recover(run.id).engine().state == source.engine.state


def test_begin_with_the_same_settings_gives_the_active_run(store: Store) -> None:
    source = RandomRun(rules_of(), seed=1)
    first = store.begin(PAPER, source.started)
    assert store.begin(PAPER, RandomRun(rules_of(), seed=2).started) == first


DIFFERENT: list[tuple[dict[str, Any], Mode, str]] = [
    ({}, Mode.LIVE, "engine.mode: the account in this database has paper, the settings say live"),
    (
        {"symbols": ("ETH/USDT", "BTC/USDT")},
        Mode.PAPER,
        "engine.symbols: .* BTC/USDT, ETH/USDT, .* ETH/USDT, BTC",
    ),
    ({"timeframe_ms": 4 * HOUR_MS}, Mode.PAPER, "engine.timeframe: .* has 1h, the settings say 4h"),
    (
        {"capital": "10000.5"},
        Mode.PAPER,
        "engine.initial_capital_quote: .* has 10000, the settings say 10000.5",
    ),
]


@pytest.mark.parametrize(("changed", "mode", "sentence"), DIFFERENT)
def test_begin_with_other_settings_names_what_differs(
    store: Store, changed: dict[str, Any], mode: Mode, sentence: str
) -> None:
    store.begin(PAPER, RandomRun(rules_of(), seed=1).started)
    other = RandomRun(rules_of(**changed), seed=1).started
    with pytest.raises(StorageError, match=sentence + ".*`autotrader paper reset`$"):
        store.begin(RunSetup(mode), other)


def test_begin_with_a_finer_tick_gives_the_run_with_its_own_rules(store: Store) -> None:
    first = store.begin(PAPER, RandomRun(rules_of(), seed=1).started)
    finer = RandomRun(rules_of(tick="0.0000000001"), seed=1).started
    assert store.begin(PAPER, finer).rules == first.rules


@pytest.mark.parametrize("end", [Store.archive, Store.finish])
def test_begin_after_the_run_ended_makes_a_new_one(store: Store, reader: Reader, end: Any) -> None:
    source = RandomRun(rules_of(), seed=1)
    first = stored_run(store, source, candles=5)
    end(store, first.id)
    assert store.active_run() is None
    second = store.begin(RunSetup(Mode.REPLAY), RandomRun(rules_of(capital="5"), seed=1).started)
    assert [run.id for run in reader.runs()] == [first.id, second.id]
    assert reader.runs()[0].finished_ms == NOW_MS
    assert list(store.recover(second.id).entries) == [Entry(0, second_started(second.rules))]


def second_started(rules: Any) -> Any:
    """The event that a random run with these rules begins with."""
    return RandomRun(rules, seed=1).started


def test_append_keeps_every_entry_exactly(store: Store) -> None:
    source = RandomRun(rules_of(), seed=3)
    run = store.begin(PAPER, source.started)
    entries = source.entries(200)
    for group in batches(entries, 37):
        assert store.append(run.id, group) == group[-1].sequence
    assert list(store.recover(run.id).entries) == [Entry(0, source.started), *entries]


def test_append_of_stored_entries_changes_nothing(store: Store, database_url: str) -> None:
    source = RandomRun(rules_of(), seed=4)
    run = store.begin(PAPER, source.started)
    entries = source.entries(60)
    state = source.engine.state
    last = store.append(run.id, entries, state)
    before = dump(database_url)
    assert store.append(run.id, entries, state) == last
    assert store.append(run.id, entries[:10]) == last
    assert dump(database_url) == before


def test_append_that_overlaps_stores_the_new_ones_alone(store: Store) -> None:
    source = RandomRun(rules_of(), seed=5)
    run = store.begin(PAPER, source.started)
    entries = source.entries(60)
    store.append(run.id, entries[:50])
    assert store.append(run.id, entries[30:], source.engine.state) == entries[-1].sequence
    assert store.check(run.id) == []


def test_append_after_a_gap_is_a_bug_and_stores_nothing(store: Store, database_url: str) -> None:
    source = RandomRun(rules_of(), seed=6)
    run = store.begin(PAPER, source.started)
    entries = source.entries(20)
    store.append(run.id, entries[:10])
    before = dump(database_url)
    with pytest.raises(ValueError, match="journal entry 11 is missing: 12 came"):
        store.append(run.id, entries[11:])
    with pytest.raises(ValueError, match="journal entry 13 is missing: 14 came"):
        store.append(run.id, [*entries[:12], *entries[13:]])
    assert dump(database_url) == before


def test_append_with_a_state_of_another_moment_is_a_bug(store: Store) -> None:
    source = RandomRun(rules_of(), seed=7)
    run = store.begin(PAPER, source.started)
    entries = source.entries(20)
    with pytest.raises(ValueError, match=f"the state is of {entries[-1].sequence}, the last entry 5"):
        store.append(run.id, entries[:5], source.engine.state)


def test_append_that_fails_half_way_stores_nothing(store: Store, database_url: str) -> None:
    source = RandomRun(rules_of(), seed=8)
    run = store.begin(PAPER, source.started)
    entries = source.entries(10)
    broken = Entry(entries[-1].sequence + 1, CandlesClosed(entries[0].event.open_time_ms, ()))  # type: ignore[union-attr]
    unknown = Entry(broken.sequence, broken.event, entries[-1].decisions)
    before = dump(database_url)
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        store.append(run.id, [*entries, unknown])
    assert dump(database_url) == before
    assert store.append(run.id, entries) == entries[-1].sequence


def test_append_by_a_writer_that_was_replaced_is_refused(store: Store, database_url: str) -> None:
    source = RandomRun(rules_of(), seed=9)
    run = store.begin(PAPER, source.started)
    first, second = source.entries(2), source.entries(2)
    store.append(run.id, first)
    with create_engine(driver_url(database_url)).begin() as connection:
        connection.execute(text("UPDATE writer SET epoch = epoch + 1"))
    before = dump(database_url)
    for write in (
        lambda: store.append(run.id, second),
        lambda: store.save_snapshot(run.id, 1, snapshot(source.engine.state)),
        lambda: store.log("info", "test", "late", "a word from the past"),
        lambda: store.finish(run.id),
    ):
        with pytest.raises(OperationError, match="another engine has taken over"):
            write()
    assert dump(database_url) == before


def test_each_writer_has_the_next_epoch(store: Store, database_url: str) -> None:
    first = store.epoch
    store.close()
    with_next = Store.open(database_url, lambda: NOW_MS)
    assert with_next.epoch == first + 1
    with_next.close()


def test_append_after_the_server_ended_the_connection_can_be_done_again(postgresql_url: str) -> None:
    store = Store.open(postgresql_url, lambda: NOW_MS)
    source = RandomRun(rules_of(), seed=10)
    run = store.begin(PAPER, source.started)
    entries = source.entries(5)
    with create_engine(driver_url(postgresql_url)).begin() as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    with pytest.raises(OperationError, match="the database failed: "):
        store.append(run.id, entries)
    assert store.append(run.id, entries) == entries[-1].sequence
    store.close()


def test_snapshots_only_the_newest_two_are_kept(store: Store, database_url: str) -> None:
    source = RandomRun(rules_of(), seed=11)
    run = store.begin(PAPER, source.started)
    for _ in range(4):
        entries = source.entries(5)
        store.append(run.id, entries)
        for _twice in range(2):
            store.save_snapshot(run.id, source.engine.state.sequence, snapshot(source.engine.state))
    kept = [row[1] for row in dump(database_url)["snapshots"]]
    assert len(kept) == 2
    assert max(kept) == source.engine.state.sequence
    recovered = store.recover(run.id)
    assert list(recovered.entries) == []
    assert recovered.engine().state == source.engine.state


def test_snapshot_ahead_of_the_journal_is_a_bug(store: Store) -> None:
    source = RandomRun(rules_of(), seed=12)
    run = store.begin(PAPER, source.started)
    source.entries(1)
    with pytest.raises(ValueError, match="which the journal does not hold yet"):
        store.save_snapshot(run.id, source.engine.state.sequence, snapshot(source.engine.state))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), stored=st.integers(1, 60), after=st.integers(0, 30), taken=st.booleans())
def test_recover_at_any_entry_goes_on_as_the_original_would(
    store: Store, seed: int, stored: int, after: int, taken: bool
) -> None:
    source = RandomRun(rules_of(), seed)
    run = store.begin(PAPER, source.started)
    store.append(run.id, source.entries(stored))
    if taken:
        store.save_snapshot(run.id, source.engine.state.sequence, snapshot(source.engine.state))
    store.append(run.id, source.entries(after))
    recovered = store.recover(run.id).engine()
    assert recovered.state == source.engine.state
    for entry in source.entries(40):
        assert tuple(recovered.handle(entry.event)) == entry.decisions
    assert recovered.state == source.engine.state
    store.archive(run.id)


def test_recover_an_entry_of_another_version_says_so(store: Store, database_url: str) -> None:
    run = stored_run(store, RandomRun(rules_of(), seed=13), candles=5)
    with create_engine(driver_url(database_url)).begin() as connection:
        connection.execute(
            text("""UPDATE journal SET body = '[3,{"type":"Dreamt"},[]]' WHERE sequence = 3""")
        )
    with pytest.raises(StorageError, match="journal: entry 3 cannot be read"):
        store.recover(run.id).engine()


def driver_url(url: str) -> str:
    """The URL for an SQLAlchemy engine of the test's own."""
    return url.replace("postgresql://", "postgresql+psycopg://")


def dump(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as the database holds it."""
    engine = create_engine(driver_url(url))
    names = ["journal", "snapshots", "runs", "writer", "candles", "signals", "decisions", "orders", "fills"]
    names += ["positions", "trades", "equity", "daily_stats", "risk_state", "system_log"]
    with engine.connect() as connection:
        rows = {
            name: sorted(map(tuple, connection.execute(text(f"SELECT * FROM {name}"))), key=repr)
            for name in names
        }
    engine.dispose()
    return rows
