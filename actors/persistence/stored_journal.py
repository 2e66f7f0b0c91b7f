"""The journal on disk: entries appended once and in order, read back in order, and snapshots."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, delete, func, insert, select

from actors.persistence import tables
from actors.persistence.bulk import insert_rows
from actors.persistence.engine_url import operation_errors
from trading import engine as trading_engine
from trading.errors import StorageError
from trading.events import CandlesClosed, SignalsCollected
from trading.journal import Entry, decode_entry, encode_entry, replay, restore

CHUNK = 1_000
SNAPSHOTS_KEPT = 2


class StoredEntries:
    """A run's entries after `after`, in order; each iteration reads them anew, a chunk at a time.

    Raises StorageError for an entry that this code cannot read.
    """

    def __init__(self, engine: Engine, run_id: int, after: int = -1) -> None:
        self._engine = engine
        self._run_id = run_id
        self._after = after

    def __iter__(self) -> Iterator[Entry]:
        after = self._after
        while True:
            with operation_errors(), self._engine.connect() as connection:
                chunk = read_chunk(connection, self._run_id, after)
            yield from chunk
            if len(chunk) < CHUNK:
                return
            after = chunk[-1].sequence


class Recovered(Struct, frozen=True):
    """What a run goes on from: its newest snapshot, and the entries after it."""

    snapshot: str | None
    entries: StoredEntries

    def engine(self) -> trading_engine.Engine:
        """The engine as it was after the last stored entry."""
        restored = restore(self.snapshot) if self.snapshot is not None else None
        return replay(restored, self.entries)


def last_sequence(connection: Connection, run_id: int) -> int:
    """The sequence of a run's newest entry; -1 when it has none."""
    journal = tables.journal
    newest = connection.scalar(select(func.max(journal.c.sequence)).where(journal.c.run_id == run_id))
    return -1 if newest is None else newest


def new_entries(entries: Sequence[Entry], last: int) -> Sequence[Entry]:
    """Those that are not stored yet. Raises ValueError when one between is missing."""
    new = [entry for entry in entries if entry.sequence > last]
    for expected, entry in enumerate(new, last + 1):
        if entry.sequence != expected:
            raise ValueError(f"journal entry {expected} is missing: {entry.sequence} came")
    return new


def write_entries(connection: Connection, run_id: int, entries: Sequence[Entry]) -> None:
    """Append entries."""
    insert_rows(connection, tables.journal, [_journal_row(run_id, entry) for entry in entries])


def read_chunk(connection: Connection, run_id: int, after: int) -> list[Entry]:
    """The next entries, at most `CHUNK`."""
    journal = tables.journal
    query = (
        select(journal.c.sequence, journal.c.body)
        .where(journal.c.run_id == run_id, journal.c.sequence > after)
        .order_by(journal.c.sequence)
        .limit(CHUNK)
    )
    return [_decoded(sequence, body) for sequence, body in connection.execute(query)]


def write_snapshot(connection: Connection, run_id: int, sequence: int, body: bytes) -> None:
    """Keep a snapshot and the one before it; a snapshot of the same sequence is passed over."""
    table = tables.snapshots
    sequences = select(table.c.sequence).where(table.c.run_id == run_id).order_by(table.c.sequence)
    stored = list(connection.scalars(sequences))
    if sequence in stored:
        return
    row = {"run_id": run_id, "sequence": sequence, "body": body.decode()}
    connection.execute(insert(table), [row])
    old = sorted([*stored, sequence])[:-SNAPSHOTS_KEPT]
    connection.execute(delete(table).where(table.c.run_id == run_id, table.c.sequence.in_(old)))


def newest_snapshot(connection: Connection, run_id: int) -> tuple[int, str | None]:
    """The newest snapshot's sequence and body; (-1, None) when there is none."""
    table = tables.snapshots
    query = select(table.c.sequence, table.c.body).where(table.c.run_id == run_id)
    row = connection.execute(query.order_by(table.c.sequence.desc()).limit(1)).first()
    return (row.sequence, row.body) if row else (-1, None)


def _journal_row(run_id: int, entry: Entry) -> dict[str, object]:
    event = entry.event
    return {
        "run_id": run_id,
        "sequence": entry.sequence,
        "kind": type(event).__name__,
        "open_time_ms": event.open_time_ms if isinstance(event, CandlesClosed | SignalsCollected) else None,
        "body": encode_entry(entry).decode(),
    }


def _decoded(sequence: int, body: str) -> Entry:
    try:
        return decode_entry(body)
    except msgspec.DecodeError as error:
        raise StorageError(f"journal: entry {sequence} cannot be read ({error})") from None
