"""Settings changed while running, and the system log."""

import pytest

from actors.persistence.reader import Reader
from actors.persistence.store import Store
from tests.actors.persistence.conftest import NOW_MS, stored_run
from tests.actors.persistence.test_store import driver_url
from tests.support.runs import RandomRun, rules_of


def test_setting_newest_value_wins_and_outlives_the_store(
    store: Store, reader: Reader, database_url: str
) -> None:
    store.set_setting("risk.stop_loss_percent", "3", by="ada")
    store.set_setting("risk.stop_loss_percent", "2.5", by="bob")
    store.set_setting("vote.quorum", "0.25", by="ada")
    in_force = {"risk.stop_loss_percent": "2.5", "vote.quorum": "0.25"}
    assert store.settings() == reader.settings() == in_force
    store.close()
    again = Store.open(database_url, lambda: NOW_MS)
    assert again.settings() == in_force
    again.close()


def test_reset_of_one_setting_ends_it_alone(store: Store) -> None:
    store.set_setting("a", "1", by="ada")
    store.set_setting("b", '"text"', by="ada")
    assert store.reset_settings("a", by="bob") == ["a"]
    assert store.settings() == {"b": '"text"'}
    assert store.reset_settings("a", by="bob") == []
    store.set_setting("a", "2", by="ada")
    assert store.settings() == {"a": "2", "b": '"text"'}


def test_reset_of_all_settings_keeps_their_history(store: Store, database_url: str) -> None:
    from sqlalchemy import create_engine, text

    store.set_setting("a", "1", by="ada")
    store.set_setting("b", "2", by="ada")
    assert sorted(store.reset_settings(None, by="bob")) == ["a", "b"]
    assert store.settings() == {}
    with create_engine(driver_url(database_url)).connect() as connection:
        rows = connection.execute(text('SELECT key, value, "by" FROM settings_changes ORDER BY id')).all()
    assert [tuple(row) for row in rows] == [
        ("a", "1", "ada"),
        ("b", "2", "ada"),
        ("a", None, "bob"),
        ("b", None, "bob"),
    ]


def test_setting_that_is_not_json_is_a_bug(store: Store) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        store.set_setting("a", "three", by="ada")
    assert store.settings() == {}


def test_log_keeps_lines_in_order_with_and_without_a_run(store: Store, reader: Reader) -> None:
    store.log("info", "supervisor", "started", "before any run")
    run = stored_run(store, RandomRun(rules_of(), seed=1), candles=1)
    store.log("warning", "feed", "gap", "two candles are missing")
    newest, *_, oldest = reader.log(limit=1000)
    assert (oldest["run_id"], oldest["text"], oldest["time"]) == (None, "before any run", NOW_MS)
    assert (newest["run_id"], newest["level"], newest["code"]) == (run.id, "warning", "gap")
    assert len(reader.log(limit=1)) == 1
