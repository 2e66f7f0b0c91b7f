"""The audit trail: what it keeps, what it answers again, and every way to break its chain."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, text

from actors.persistence import audit_trail
from actors.persistence.audit_trail import Asked, AuditRow, with_outcome
from actors.persistence.store import Store
from tests.actors.persistence.conftest import NOW_MS
from tests.actors.persistence.test_store import driver_url

Execute = Callable[[str], None]


def row(request_id: str = "request-1", result: str = "asked", account: str = "anna") -> AuditRow:
    """An entry on a command."""
    return AuditRow(
        time_ms=NOW_MS,
        account=account,
        role="admin",
        address="127.0.0.1",
        method="EngineService/Kill",
        request_id=request_id,
        result=result,
        detail='{"reason": "ünïcode \\u0000"}',
        fingerprint="f00",
    )


@pytest.fixture
def execute(database_url: str) -> Execute:
    """Changes the database behind the store's back."""

    def run(statement: str) -> None:
        with create_engine(driver_url(database_url)).begin() as connection:
            connection.execute(text(statement))

    return run


@pytest.fixture
def five(store: Store) -> Store:
    """A trail of five entries, in chunks of two."""
    for number in range(5):
        store.perform(audit_trail.append, with_outcome(row(f"request-{number}"), None, "{}", b"\x00\xff"))
    return store


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that is read in several parts."""
    monkeypatch.setattr(audit_trail, "CHUNK", 2)


def test_entries_get_ids_from_one_and_come_back_newest_first(five: Store) -> None:
    found = five.perform(audit_trail.page, None, "", 3)
    assert [entry.id for entry in found] == [5, 4, 3]
    newest = found[0]
    assert (newest.time_ms, newest.answer, newest.before, newest.after) == (NOW_MS, b"\x00\xff", None, "{}")
    assert newest.detail == row().detail
    assert [entry.id for entry in five.perform(audit_trail.page, 3, "", 10)] == [2, 1]


def test_page_of_one_account_holds_no_other(store: Store) -> None:
    for account in ("anna", "bert", "anna"):
        store.perform(audit_trail.append, row(account=account))
    assert [entry.id for entry in store.perform(audit_trail.page, None, "anna", 10)] == [3, 1]
    assert store.perform(audit_trail.page, None, "an", 10) == []


def test_whole_trail_verifies_and_has_no_problem(five: Store) -> None:
    assert five.perform(audit_trail.verify) == (5, 0)
    assert five.perform(audit_trail.problems) == []


def test_empty_trail_verifies(store: Store) -> None:
    assert store.perform(audit_trail.verify) == (0, 0)


@pytest.mark.parametrize(
    ("lie", "broken"),
    [
        *[
            (f"UPDATE audit SET {column} = 'x' WHERE id = 3", 3)
            for column in ("account", "role", "address", "method", "request_id", "result", "detail", "hash")
        ],
        ("UPDATE audit SET before = '' WHERE id = 3", 3),
        ("UPDATE audit SET after = NULL WHERE id = 3", 3),
        ("UPDATE audit SET fingerprint = '' WHERE id = 3", 3),
        ("UPDATE audit SET answer = NULL WHERE id = 3", 3),
        ("UPDATE audit SET time = '2020-01-01T00:00:00.000Z' WHERE id = 3", 3),
        ("UPDATE audit SET id = 7 WHERE id = 5", 7),
        ("DELETE FROM audit WHERE id = 3", 4),
        ("DELETE FROM audit WHERE id = 1", 2),
        ("UPDATE audit SET id = -1 WHERE id = 1", -1),
        (
            "INSERT INTO audit SELECT 6, time, account, role, address, method, request_id, result, detail,"
            " before, after, answer, fingerprint, hash FROM audit WHERE id = 5",
            6,
        ),
        (
            "INSERT INTO audit SELECT 0, time, account, role, address, method, request_id, result, detail,"
            " before, after, answer, fingerprint, hash FROM audit WHERE id = 1",
            0,
        ),
    ],
)
def test_entry_changed_removed_or_put_in_is_found(
    five: Store, execute: Execute, lie: str, broken: int
) -> None:
    execute(lie)
    first_broken = five.perform(audit_trail.verify)[1]
    # An entry with the id 0 is told by the one after it: 0 is how a whole trail is told.
    assert first_broken == (broken or 1)
    assert f"entry {first_broken} " in five.perform(audit_trail.problems)[0]


def test_entry_with_a_time_that_cannot_be_read_is_found(sqlite_url: str) -> None:
    store = Store.open(sqlite_url, lambda: NOW_MS)
    for _ in range(3):
        store.perform(audit_trail.append, row())
    with create_engine(sqlite_url).begin() as connection:
        connection.execute(text("UPDATE audit SET time = 'yesterday' WHERE id = 3"))
    assert store.perform(audit_trail.verify) == (2, 3)
    store.close()


def test_entry_resealed_breaks_the_chain_at_the_next_one(five: Store, execute: Execute) -> None:
    third = five.perform(audit_trail.page, 4, "", 1)[0]
    before = five.perform(audit_trail.page, 3, "", 1)[0]
    forged = audit_trail.AuditRow(
        **{name: getattr(third, name) for name in AuditRow.__struct_fields__ if name != "account"},
        account="eve",
    )
    seal = audit_trail._seal(before.hash, 3, forged)
    execute(f"UPDATE audit SET account = 'eve', hash = '{seal}' WHERE id = 3")
    assert five.perform(audit_trail.verify) == (5, 4)


def test_command_that_was_done_is_answered_and_not_asked_again(store: Store) -> None:
    asked, ended = row(), with_outcome(row(result="OK"), "1", "2", b"answer")
    for _ in range(2):  # the answer to the first was lost
        assert store.perform(audit_trail.ask, asked) == Asked()
    for _ in range(2):
        store.perform(audit_trail.end, ended)
    assert store.perform(audit_trail.ask, asked) == Asked(answer=b"answer")
    assert store.perform(audit_trail.verify) == (2, 0)


@pytest.mark.parametrize(
    ("result", "again"),
    [("", True), ("UNAVAILABLE", True), ("INTERNAL", True), ("NOT_FOUND", False), ("ALREADY_EXISTS", False)],
)
def test_command_that_may_have_been_done_is_told_so_when_it_is_asked_again(
    store: Store, result: str, again: bool
) -> None:
    store.perform(audit_trail.ask, row())
    if result:  # else the engine was killed
        store.perform(audit_trail.end, row(result=result))
    later = [replace(row(), time_ms=NOW_MS + number) for number in (1, 2)]
    assert store.perform(audit_trail.ask, later[0]) == Asked(again=again)
    store.perform(audit_trail.end, replace(later[0], result="PERMISSION_DENIED"))
    assert store.perform(audit_trail.ask, later[1]) == Asked(again=again)


@pytest.mark.parametrize("result", ["", "NOT_FOUND", "OK"])
def test_id_of_another_command_is_told_however_that_one_ended(store: Store, result: str) -> None:
    store.perform(audit_trail.ask, row())
    if result:
        store.perform(audit_trail.end, row(result=result))
    other = replace(row(), fingerprint="ba5", time_ms=NOW_MS + 1)
    assert store.perform(audit_trail.ask, other) == Asked(other=True)
    assert store.perform(audit_trail.verify) == (2 if result else 1, 0)


def test_command_that_failed_may_be_asked_again(store: Store) -> None:
    store.perform(audit_trail.ask, row())
    store.perform(audit_trail.end, row(result="FAILED_PRECONDITION"))
    assert store.perform(audit_trail.ask, row()) == Asked()
    assert store.perform(audit_trail.verify) == (3, 0)


def test_command_of_another_account_with_the_same_id_is_not_answered(store: Store) -> None:
    store.perform(audit_trail.append, with_outcome(row(result="OK"), None, None, b"answer"))
    assert store.perform(audit_trail.ask, row(account="bert")) == Asked()
    assert store.perform(audit_trail.ask, row()) == Asked(answer=b"answer")
