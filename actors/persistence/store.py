"""The one writer of a database: every change of what is stored goes through here."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine, insert, select, update

from actors.persistence import log, settings_changes, tables
from actors.persistence.engine_url import open_engine, operation_errors, use_wal
from actors.persistence.lock import WAIT_SECONDS, WriterLock, acquire
from actors.persistence.projection import Projection, newest_day
from actors.persistence.runs import (
    Run,
    RunSetup,
    Status,
    active_run,
    add_run,
    end_run,
    find_run,
    require_same,
)
from actors.persistence.stored_journal import (
    Recovered,
    StoredEntries,
    last_sequence,
    new_entries,
    newest_snapshot,
    write_entries,
    write_snapshot,
)
from actors.persistence.version import create_tables, is_current
from trading import engine as trading_engine
from trading.errors import TakenOver
from trading.events import RunStarted
from trading.journal import Entry
from trading.state import EngineState

Clock = Callable[[], int]
Given = TypeVarTuple("Given")
Got = TypeVar("Got")


class Store:
    """Holds the writer's lock, and an epoch that no later writer shares.

    Each method is one transaction. It raises OperationError when the database fails or when another
    writer has taken over (a lock can be lost with a server; the epoch cannot), and then nothing of
    it was stored.
    """

    def __init__(self, engine: Engine, lock: WriterLock, epoch: int, now_ms: Clock) -> None:
        self._engine = engine
        self._lock = lock
        self._epoch = epoch
        self._now_ms = now_ms
        self._runs: dict[int, Run] = {}

    @classmethod
    def open(cls, url: str, now_ms: Clock, wait_seconds: float = WAIT_SECONDS) -> "Store":
        """Become the writer of a database; an empty one is given its tables.

        `now_ms` is the clock. Raises StorageError for a URL, file or schema that does not fit, and
        OperationError when the server does not answer or another engine is running.
        """
        engine = open_engine(url)
        lock = acquire(engine, now_ms(), wait_seconds)
        try:
            _prepare(engine)
            with operation_errors(), engine.begin() as connection:
                epoch = _next_epoch(connection)
        except BaseException:
            lock.release()
            engine.dispose()
            raise
        return cls(engine, lock, epoch, now_ms)

    @property
    def epoch(self) -> int:
        """The number of this writer: each one that opens the database gets the next."""
        return self._epoch

    def close(self) -> None:
        """Let the next writer in."""
        self._engine.dispose()
        self._lock.release()

    def begin(self, setup: RunSetup, started: RunStarted) -> Run:
        """The active run of these settings, or a new one that begins with `started`.

        Raises StorageError when the active run has another mode, symbols, timeframe, quote or capital.
        """
        with self._transaction() as connection:
            run = active_run(connection)
            if run is not None:
                require_same(run, setup.mode, started.rules)
                return run
            run = add_run(connection, setup, started, self._now_ms())
            write_entries(connection, run.id, [Entry(0, started)])
            state = trading_engine.Engine.start(started).state
            Projection(run, None).write(connection, state)
            return run

    def active_run(self) -> Run | None:
        """The run that goes on in this database, if any."""
        with self._transaction() as connection:
            return active_run(connection)

    def finish(self, run_id: int) -> None:
        """A run came to its end."""
        with self._transaction() as connection:
            end_run(connection, run_id, Status.FINISHED, self._now_ms())

    def archive(self, run_id: int) -> None:
        """Put a run aside, with all that it stored, so that a new one can begin."""
        with self._transaction() as connection:
            end_run(connection, run_id, Status.ARCHIVED, self._now_ms())

    def append(self, run_id: int, entries: Sequence[Entry], state: EngineState | None = None) -> int:
        """Store entries and what follows from them; returns the sequence of the last one stored.

        Entries that are stored already are passed over. `state`, the engine's after the last of
        these entries, keeps `risk_state` and the positions' stops current. Raises ValueError when
        an entry is missing, or when the state is of another moment.
        """
        if state is not None and entries and state.sequence != entries[-1].sequence:
            raise ValueError(f"the state is of {state.sequence}, the last entry {entries[-1].sequence}")
        with self._transaction() as connection:
            last = last_sequence(connection, run_id)
            new = new_entries(entries, last)
            if not new:
                return last
            write_entries(connection, run_id, new)
            run = self._run(connection, run_id)
            projection = Projection(run, newest_day(connection, run))
            for entry in new:
                projection.add(entry)
            projection.write(connection, state)
            return new[-1].sequence

    def save_snapshot(self, run_id: int, sequence: int, body: bytes) -> None:
        """Keep what the engine knew after an entry; only the newest two are kept.

        Raises ValueError when that entry is not stored yet.
        """
        with self._transaction() as connection:
            if sequence > last_sequence(connection, run_id):
                raise ValueError(f"a snapshot of {sequence}, which the journal does not hold yet")
            write_snapshot(connection, run_id, sequence, body)

    def recover(self, run_id: int) -> Recovered:
        """What the engine of this run goes on from."""
        with self._transaction() as connection:
            sequence, body = newest_snapshot(connection, run_id)
        return Recovered(body, StoredEntries(self._engine, run_id, sequence))

    def rebuild(self, run_id: int) -> None:
        """Make the run's tables anew from its journal, deciding everything again.

        Raises StorageError, and changes nothing, when the journal is broken or decides otherwise.
        """
        from actors.persistence import audit

        with self._transaction() as connection:
            audit.rebuild(connection, self._run(connection, run_id))

    def check(self, run_id: int) -> list[str]:
        """What is wrong with the schema, the journal or the tables, in words; nothing is changed."""
        from actors.persistence import audit

        with operation_errors(), self._engine.connect() as connection:
            found = audit.problems(connection, self._run(connection, run_id))
            connection.rollback()
        return found

    def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        """Do any other write, such as those of the control plane, as one transaction."""
        with self._transaction() as connection:
            return act(connection, *args)

    def log(self, level: str, source: str, code: str, text: str) -> None:
        """Add a line to the system log."""
        with self._transaction() as connection:
            run = active_run(connection)
            run_id = run.id if run else None
            log.write_line(connection, run_id, self._now_ms(), level, source, code, text)

    def set_setting(self, key: str, value_json: str, by: str) -> None:
        """Change a setting while running; it wins until it is reset."""
        with self._transaction() as connection:
            settings_changes.set_setting(connection, key, value_json, by, self._now_ms())

    def reset_settings(self, key: str | None, by: str) -> list[str]:
        """End one change, or all; returns the settings that were changed."""
        with self._transaction() as connection:
            return settings_changes.reset_settings(connection, key, by, self._now_ms())

    def settings(self) -> dict[str, str]:
        """The settings changed while running, with their values as JSON text."""
        with self._transaction() as connection:
            return settings_changes.settings_in_force(connection)

    def _run(self, connection: Connection, run_id: int) -> Run:
        if run_id not in self._runs:
            self._runs[run_id] = find_run(connection, run_id)
        return self._runs[run_id]

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction that only the newest writer can commit."""
        with operation_errors(), self._engine.begin() as connection:
            mine = update(tables.writer).where(tables.writer.c.epoch == self._epoch)
            if connection.execute(mine.values(epoch=self._epoch)).rowcount != 1:
                raise TakenOver("another engine has taken over this database: this one stops")
            yield connection


def _prepare(engine: Engine) -> None:
    """Give an empty database its tables; raise StorageError for any other schema than the code's."""
    with operation_errors(), engine.begin() as connection:
        if is_current(connection):
            return
        created = create_tables(connection)
    if created:
        use_wal(engine)
        return
    from actors.persistence import schema

    schema.prepare(engine)


def _next_epoch(connection: Connection) -> int:
    table = tables.writer
    if connection.execute(update(table).values(epoch=table.c.epoch + 1)).rowcount == 0:
        connection.execute(insert(table).values(id=1, epoch=1))
    return int(connection.execute(select(table.c.epoch)).scalar_one())


def upgrade_database(url: str, now_ms: Clock, wait_seconds: float = WAIT_SECONDS) -> tuple[str | None, str]:
    """Bring a database's schema to this code's version; returns the version before and after.

    Raises StorageError when it is newer than the code, OperationError when an engine is running.
    """
    from actors.persistence import schema

    engine = open_engine(url)
    lock = acquire(engine, now_ms(), wait_seconds)
    try:
        return schema.upgrade(engine)
    finally:
        lock.release()
        engine.dispose()
