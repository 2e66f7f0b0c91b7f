"""The audit trail: who asked for what and what came of it, each entry sealed with the hash of the one before.

Entries are only added. An entry that is changed, put in or taken out breaks the chain; the newest ones alone
can be cut off unseen by someone who writes to the database, and no chain inside it could tell.
"""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, select

from actors.persistence import tables

ASKED, DONE = "asked", "OK"
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


class Answered(Struct, frozen=True):
    """A command that was done, and its answer."""

    method: str
    fingerprint: str
    answer: bytes


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


def ask(connection: Connection, row: AuditRow) -> Answered | None:
    """Note that a command is asked for, unless it was done before: then nothing is added, and what it
    answered is returned."""
    done = answered(connection, row.account, row.request_id)
    if done is None:
        append(connection, row)
    return done


def answered(connection: Connection, account: str, request_id: str) -> Answered | None:
    """The answer that a command of this account got; None when none was done with this id."""
    audit = tables.audit
    found = connection.execute(
        select(audit.c.method, audit.c.fingerprint, audit.c.answer)
        .where(audit.c.account == account, audit.c.request_id == request_id, audit.c.result == DONE)
        .limit(1)
    ).first()
    return Answered(found.method, found.fingerprint, found.answer or b"") if found else None


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
