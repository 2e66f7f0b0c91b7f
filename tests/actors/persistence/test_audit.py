"""The journal is the truth: tables are rebuilt from it, and lies in either are found."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from actors.persistence.store import Store
from tests.actors.persistence.conftest import stored_run
from tests.actors.persistence.test_store import driver_url, dump
from tests.support.runs import RandomRun, rules_of
from trading.errors import StorageError

Execute = Callable[[str], None]

LIES = {
    "trades": "UPDATE trades SET realized_profit = '1000000'",
    "equity": "DELETE FROM equity",
    "orders": "UPDATE orders SET state = 'waiting'",
    "positions": "DELETE FROM positions",
    "risk_state": "UPDATE risk_state SET peak = '1'",
    "daily_stats": "UPDATE daily_stats SET winners = winners + 1",
    "system_log": "DELETE FROM system_log WHERE sequence IS NOT NULL",
    "signals": "UPDATE signals SET reasons = NULL",
}


@pytest.fixture
def run_id(store: Store) -> int:
    """A stored run with an open position at its end, in batches that no rebuild would make."""
    source = RandomRun(rules_of(), seed=53)
    run = stored_run(store, source, candles=50, batch=41)
    while not list(source.engine.state.positions()):
        store.append(run.id, source.entries(1), source.engine.state)
    return run.id


@pytest.fixture
def execute(database_url: str) -> Execute:
    """Changes the database behind the store's back."""

    def run(statement: str) -> None:
        with create_engine(driver_url(database_url)).begin() as connection:
            connection.execute(text(statement))

    return run


def test_check_of_a_sound_run_finds_nothing_and_changes_nothing(
    store: Store, run_id: int, database_url: str
) -> None:
    before = dump(database_url)
    assert store.check(run_id) == []
    assert dump(database_url) == before


def test_rebuild_of_a_sound_run_gives_the_same_tables(store: Store, run_id: int, database_url: str) -> None:
    store.log("info", "test", "kept", "a line from outside the engine")
    before = dump(database_url)
    store.rebuild(run_id)
    after = dump(database_url)
    without_ids = [sorted((row[1:] for row in each.pop("system_log")), key=repr) for each in (before, after)]
    assert without_ids[0] == without_ids[1]
    assert before == after


@pytest.mark.parametrize("table", LIES)
def test_check_names_the_table_that_lies_and_rebuild_mends_it(
    store: Store, run_id: int, execute: Execute, table: str
) -> None:
    execute(LIES[table])
    (problem,) = store.check(run_id)
    assert problem.startswith(f"table {table}: it holds ")
    store.rebuild(run_id)
    assert store.check(run_id) == []


def test_rebuild_over_many_chunks_gives_the_same_tables(store: Store) -> None:
    run = stored_run(store, RandomRun(rules_of(("BTC/USDT",)), seed=54), candles=1100, batch=230)
    assert store.check(run.id) == []


def test_rebuild_leaves_other_runs_alone(
    store: Store, run_id: int, database_url: str, execute: Execute
) -> None:
    store.archive(run_id)
    second = stored_run(store, RandomRun(rules_of(), seed=5), candles=20)
    store.rebuild(second.id)
    assert store.check(run_id) == []
    execute(f"DELETE FROM equity WHERE run_id = {run_id}")
    assert store.check(second.id) == []
    assert len(store.check(run_id)) == 1


def test_check_names_the_missing_entry_and_rebuild_refuses(
    store: Store, run_id: int, database_url: str, execute: Execute
) -> None:
    execute("DELETE FROM journal WHERE sequence = 17")
    assert store.check(run_id) == [f"journal: entry 17 of run {run_id} is missing"]
    before = dump(database_url)
    with pytest.raises(StorageError, match=r"entry 17 .* is missing"):
        store.rebuild(run_id)
    assert dump(database_url) == before


def test_check_names_the_entry_whose_decisions_differ(
    store: Store, run_id: int, database_url: str, execute: Execute
) -> None:
    sequence = next(row[1] for row in dump(database_url)["journal"] if "OrderIntended" in row[4])
    execute(
        "UPDATE journal SET body = replace(body, '\"OrderIntended\"', '\"OrderReasonRaised\"')"
        f" WHERE sequence = {sequence}"
    )
    assert store.check(run_id) == [f"journal: entry {sequence} of run {run_id} gives other decisions now"]
    before = dump(database_url)
    with pytest.raises(StorageError, match="gives other decisions"):
        store.rebuild(run_id)
    assert dump(database_url) == before


def test_check_after_entries_without_a_state_allows_the_state_s_tables_to_lag(store: Store) -> None:
    source = RandomRun(rules_of(), seed=53)
    run = stored_run(store, source, candles=60)
    store.append(run.id, source.entries(30))
    assert store.check(run.id) == []
