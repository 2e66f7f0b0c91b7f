"""The journal against everything that follows from it: tables rebuilt, decisions taken again."""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, Table, select

from actors.persistence import schema, tables
from actors.persistence.projection import Projection, clear, newest_day
from actors.persistence.runs import Run
from actors.persistence.stored_journal import last_sequence, read_chunk
from trading.engine import Engine
from trading.errors import AutotraderError, StorageError
from trading.events import RunStarted
from trading.journal import Entry


def rebuild(connection: Connection, run: Run) -> None:
    """Make a run's tables anew from its journal.

    Raises StorageError, naming the entry, when one is missing or unreadable, or when the engine,
    given its event again, decides otherwise than it did.
    """
    clear(connection, run.id)
    engine: Engine | None = None
    for chunk in _chunks(connection, run.id):
        projection = Projection(run, newest_day(connection, run))
        for entry in chunk:
            engine = _decide_again(engine, run, entry)
            projection.add(entry)
        projection.write(connection, engine.state if engine is not None else None)


def problems(connection: Connection, run: Run) -> list[str]:
    """What is wrong with the schema, the journal or the tables of a run; empty when all is well.

    The tables are rebuilt to be compared: the caller rolls the transaction back.
    """
    found = schema.problems(connection)
    if found:
        return found
    stale = _without_state(connection, run.id)
    before = _fingerprints(connection, run.id)
    try:
        rebuild(connection, run)
    except AutotraderError as error:
        return [str(error)]
    after = _fingerprints(connection, run.id)
    return [
        f"table {name}: it holds {before[name][0]} rows that differ from the {after[name][0]} of the journal"
        for name in before
        if before[name] != after[name] and name not in stale
    ]


def _chunks(connection: Connection, run_id: int) -> Iterator[list[Entry]]:
    after = -1
    while chunk := read_chunk(connection, run_id, after):
        yield chunk
        after = chunk[-1].sequence


def _decide_again(engine: Engine | None, run: Run, entry: Entry) -> Engine:
    expected = 0 if engine is None else engine.state.sequence + 1
    if entry.sequence != expected:
        raise StorageError(f"journal: entry {expected} of run {run.id} is missing")
    if engine is None:
        if not isinstance(entry.event, RunStarted):
            raise StorageError(f"journal: run {run.id} does not begin with RunStarted")
        return Engine.start(entry.event)
    if tuple(engine.handle(entry.event)) != entry.decisions:
        raise StorageError(f"journal: entry {expected} of run {run.id} gives other decisions now")
    return engine


def _without_state(connection: Connection, run_id: int) -> set[str]:
    """The tables that may lag, because the last entries were stored without the engine's state."""
    risk = tables.risk_state
    sequence = connection.scalar(select(risk.c.sequence).where(risk.c.run_id == run_id))
    lags = sequence != last_sequence(connection, run_id)
    return {tables.risk_state.name, tables.positions.name} if lags else set()


def _fingerprints(connection: Connection, run_id: int) -> dict[str, tuple[int, str]]:
    """Each table's number of rows of this run, and a hash of them."""
    return {
        table.name: _fingerprint(connection, table, run_id)
        for table in (*tables.PROJECTIONS, tables.system_log)
    }


def _fingerprint(connection: Connection, table: Table, run_id: int) -> tuple[int, str]:
    columns = [column for column in table.c if column.name != "id" or table is not tables.system_log]
    order = list(table.primary_key)
    query = select(*columns).where(table.c.run_id == run_id).order_by(*order)
    if table is tables.system_log:
        query = query.where(table.c.sequence.is_not(None))
    digest, count = hashlib.sha256(), 0
    for row in connection.execute(query):
        digest.update(repr(tuple(row)).encode())
        count += 1
    return count, digest.hexdigest()
