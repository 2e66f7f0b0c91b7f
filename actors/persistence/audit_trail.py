"""The audit trail: who asked for what and what came of it, each entry sealed with the hash of the one before.

Entries are only added. An entry that is changed, put in or taken out breaks the chain; the newest ones alone
can be cut off unseen by someone who writes to the database, and no chain inside it could tell.
"""

import hashlib
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, select

from actors.persistence import tables

ASKED, DONE = "asked", "OK"
# Ends that do not tell whether the command was done.
UNSURE = frozenset({"UNAVAILABLE", "INTERNAL"})
CHUNK = 1_000
_FIRST = "0" * 64


class AuditRow(Struct, frozen=True):
    """One step of a command. `result` is `asked`, `OK` or the name of a status code; `before` and `after` are
    JSON; `answer` is the answer's bytes when it is OK; the fingerprint tells a command from another one."""

    time_ms: int
    account: str
    role: str
    address: str
    method: str
    request_id: str
    result: str
    detail: str
    fingerprint: str = ""
    before: str | None = None
    after: str | None = None
    answer: bytes | None = None


class AuditEntry(AuditRow, frozen=True, kw_only=True):
    """A stored step. The hash is SHA-256, in hex, over the hash before and all else of the entry."""

    id: int
    hash: str


class Asked(Struct, frozen=True):
    """What is known of a command that is asked for: `other` when its id was another command's; `again` when
    it was tried before and may have been done; its `answer` when it was done."""

    other: bool = False
    again: bool = False
    answer: bytes | None = None


def with_outcome(row: AuditRow, before: str | None, after: str | None, answer: bytes) -> AuditRow:
    """The row of a command that ended: what it changed, as JSON, and its answer."""
    return msgspec.structs.replace(row, before=before, after=after, answer=answer)


def append(connection: Connection, row: AuditRow) -> int:
    """Add an entry; returns its id: 1, 2, 3, ..."""
    audit = tables.audit
    last = connection.execute(select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)).first()
    number, before = (last.id, last.hash) if last else (0, _FIRST)
    values = msgspec.structs.asdict(row)
    values["time"] = values.pop("time_ms")
    sealed = {**values, "id": number + 1, "hash": _seal(before, number + 1, row)}
    connection.execute(insert(audit).values(sealed))
    return number + 1


def ask(connection: Connection, row: AuditRow) -> Asked:
    """Note that a command is asked for, unless it was done before or its id was another command's.

    The same row sent twice, because its answer was lost, is noted once.
    """
    steps = _steps(connection, row)
    if any(step.fingerprint != row.fingerprint for step in steps):
        return Asked(other=True)
    done = next((step for step in steps if step.result == DONE), None)
    if done is not None:
        return Asked(answer=done.answer or b"")
    if steps and _same(steps[-1], row):
        steps.pop()
    else:
        append(connection, row)
    results = [*(step.result for step in steps), ASKED]
    again = any(first == ASKED and then in {ASKED, *UNSURE} for first, then in pairwise(results))
    return Asked(again=again)


def end(connection: Connection, row: AuditRow) -> None:
    """Note how a command ended; the same row sent twice is noted once."""
    steps = _steps(connection, row)
    if not (steps and _same(steps[-1], row)):
        append(connection, row)


def _steps(connection: Connection, row: AuditRow) -> list[Row[Any]]:
    """The entries on a command's id, the oldest first."""
    audit = tables.audit
    return list(
        connection.execute(
            select(audit.c.time, audit.c.result, audit.c.fingerprint, audit.c.answer)
            .where(audit.c.account == row.account, audit.c.request_id == row.request_id)
            .order_by(audit.c.id)
        )
    )


def _same(step: Row[Any], row: AuditRow) -> bool:
    return (step.time, step.result) == (row.time_ms, row.result)


def page(connection: Connection, before_id: int | None, account: str, limit: int) -> list[AuditEntry]:
    """At most `limit` entries older than `before_id` (None: from the newest), the newest first; of one
    account, or of all when it is empty."""
    audit = tables.audit
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(audit.c.id < before_id)
    if account:
        query = query.where(audit.c.account == account)
    return [_entry(row) for row in connection.execute(query)]


def verify(connection: Connection) -> tuple[int, int]:
    """Compute every hash again: how many entries there are, and the id of the first one that does not fit
    (0: all do). At an entry that cannot even be read it stops."""
    checked, last_id, last_hash, first_broken = 0, 0, _FIRST, 0
    after: int | None = None
    try:
        while chunk := _chunk(connection, after):
            for entry in chunk:
                sound = entry.id == last_id + 1 and entry.hash == _seal(last_hash, entry.id, entry)
                first_broken = first_broken or (0 if sound else entry.id)
                last_id, last_hash = entry.id, entry.hash
            after = last_id
            checked += len(chunk)
    except ValueError:
        first_broken = first_broken or last_id + 1
    return checked, first_broken


def problems(connection: Connection) -> list[str]:
    """What is wrong with the trail, in words; empty when it is whole."""
    broken = verify(connection)[1]
    return [f"audit: entry {broken} or the one before it was changed, put in or taken out"] if broken else []


def _chunk(connection: Connection, after_id: int | None) -> list[AuditEntry]:
    audit = tables.audit
    query = select(audit).order_by(audit.c.id).limit(CHUNK)
    if after_id is not None:
        query = query.where(audit.c.id > after_id)
    return [_entry(row) for row in connection.execute(query)]


def _entry(row: Row[Any]) -> AuditEntry:
    values = dict(row._mapping)
    return AuditEntry(time_ms=values.pop("time"), **values)


def _seal(before: str, number: int, row: AuditRow) -> str:
    facts = {name: getattr(row, name) for name in AuditRow.__struct_fields__}
    text = msgspec.json.encode({**facts, "id": number}, order="sorted")
    return hashlib.sha256(before.encode() + text).hexdigest()
