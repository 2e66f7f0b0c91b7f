"""Reading what is stored: facts for the result files, rows for the screens. It cannot write."""

from collections.abc import Iterator
from typing import Any, TypeVar, cast

from msgspec import Struct
from sqlalchemy import Connection, Engine, Select, Table, func, select

from actors.persistence import log, settings_changes, tables
from actors.persistence.engine_url import open_engine, operation_errors
from actors.persistence.runs import Run, active_run, all_runs
from actors.persistence.stored_journal import StoredEntries, last_sequence, newest_snapshot, read_chunk
from actors.persistence.version import is_current
from trading.decisions import Decision, EquityMarked, OutcomeDecided, TradeClosed
from trading.journal import Entry
from trading.ledger import Trade

D = TypeVar("D", bound=Decision)
Row = dict[str, Any]


class Tail(Struct, frozen=True):
    """What is new: journal entries, the sequence of the newest one stored, and lines of the log."""

    entries: tuple[Entry, ...]
    newest: int
    lines: tuple[Row, ...]


class Reader:
    """Read-only queries; a reader never waits for the writer, and the writer never for a reader."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "Reader":
        """Raises NoDatabaseYet where nothing was ever stored, StorageError when the schema is not
        the code's.
        """
        engine = open_engine(url, read_only=True)
        try:
            with operation_errors(), engine.connect() as connection:
                _require_current(connection)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def runs(self) -> list[Run]:
        """Every run, the oldest first."""
        with operation_errors(), self._engine.connect() as connection:
            return all_runs(connection)

    def active_run(self) -> Run | None:
        """The run that goes on in this database, if any."""
        with operation_errors(), self._engine.connect() as connection:
            return active_run(connection)

    def tail(self, run_id: int, after: int, after_line: int) -> Tail:
        """What was stored of a run after a journal entry, and in the log after a line: at most a chunk of
        each, of one moment."""
        with operation_errors(), self._engine.connect() as connection:
            return Tail(
                tuple(read_chunk(connection, run_id, after)),
                last_sequence(connection, run_id),
                tuple(log.lines_after(connection, after_line)),
            )

    def snapshot(self, run_id: int) -> tuple[int, str | None]:
        """The newest snapshot of a run's engine with its sequence; (-1, None) when there is none."""
        with operation_errors(), self._engine.connect() as connection:
            return newest_snapshot(connection, run_id)

    def last_sequence(self, run_id: int) -> int:
        """The sequence of a run's newest journal entry; -1 when it has none."""
        with operation_errors(), self._engine.connect() as connection:
            return last_sequence(connection, run_id)

    def counts(self, run_id: int, sequence: int, open_time_ms: int) -> tuple[int, int]:
        """How many trades were closed up to a journal entry, and closes marked up to an open time."""
        trades, equity = tables.trades, tables.equity
        queries = (
            select(func.count()).where(trades.c.run_id == run_id, trades.c.sequence <= sequence),
            select(func.count()).where(equity.c.run_id == run_id, equity.c.open_time <= open_time_ms),
        )
        with operation_errors(), self._engine.connect() as connection:
            closed, marked = (int(connection.scalar(query) or 0) for query in queries)
        return closed, marked

    def last_line(self) -> int:
        """The id of the newest line of the log; 0 when there is none."""
        lines = self.log(1)
        return int(lines[0]["id"]) if lines else 0

    # The exact facts, decoded from the journal in one pass.

    def entries(self, run_id: int) -> StoredEntries:
        """Every stored journal entry, in order."""
        return StoredEntries(self._engine, run_id)

    def decisions(self, run_id: int, *types: type[D]) -> Iterator[D]:
        """Every stored decision of these types, in order; of all types when none is given."""
        for entry in StoredEntries(self._engine, run_id):
            for decision in entry.decisions:
                if not types or isinstance(decision, types):
                    yield cast(D, decision)

    def equity_rows(self, run_id: int) -> Iterator[EquityMarked]:
        """Equity and cash at every close, in quote units."""
        return self.decisions(run_id, EquityMarked)

    def trades(self, run_id: int) -> Iterator[Trade]:
        """Every closed trade, in the order of their exits."""
        return (decision.trade for decision in self.decisions(run_id, TradeClosed))

    def outcomes(self, run_id: int) -> Iterator[OutcomeDecided]:
        """Every vote's outcome with its votes and what risk said."""
        return self.decisions(run_id, OutcomeDecided)

    # Rows of tables, for screens.

    def newest(self, table: Table, run_id: int, limit: int) -> list[Row]:
        """The newest rows of orders, fills, trades (by entry of the journal), equity or decisions
        (by open time), or daily_stats (by day); the newest first.
        """
        key = next(table.c[name] for name in ("sequence", "open_time", "day") if name in table.c)
        query = select(table).where(table.c.run_id == run_id)
        return self._rows(query.order_by(key.desc(), *table.primary_key).limit(limit))

    def waiting_orders(self, run_id: int) -> list[Row]:
        """The orders that are neither filled nor ended."""
        final = ("filled", "cancelled", "refused", "expired")
        table = tables.orders
        query = select(table).where(table.c.run_id == run_id, table.c.state.not_in(final))
        return self._rows(query.order_by(table.c.sequence))

    def trades_after(self, run_id: int, sequence: int, limit: int = 1_000) -> list[Row]:
        """The next closed trades after a journal entry, in order; never a part of those of an entry."""
        table = tables.trades
        query = select(table).where(table.c.run_id == run_id, table.c.sequence > sequence)
        rows = self._rows(query.order_by(table.c.sequence).limit(limit))
        if len(rows) < limit or rows[0]["sequence"] == rows[-1]["sequence"]:
            return rows
        return [row for row in rows if row["sequence"] != rows[-1]["sequence"]]

    def positions(self, run_id: int) -> list[Row]:
        """The open positions, by symbol."""
        table = tables.positions
        return self._rows(select(table).where(table.c.run_id == run_id).order_by(table.c.symbol))

    def risk_state(self, run_id: int) -> Row | None:
        """The limits' state after the newest entries."""
        rows = self._rows(select(tables.risk_state).where(tables.risk_state.c.run_id == run_id))
        return rows[0] if rows else None

    def log(self, limit: int) -> list[Row]:
        """The newest lines of the system log, the newest first."""
        with operation_errors(), self._engine.connect() as connection:
            return log.newest_lines(connection, limit)

    def settings(self) -> dict[str, str]:
        """The settings changed while running, with their values as JSON text."""
        with operation_errors(), self._engine.connect() as connection:
            return settings_changes.settings_in_force(connection)

    def _rows(self, query: Select[Any]) -> list[Row]:
        with operation_errors(), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _require_current(connection: Connection) -> None:
    """Raise StorageError, with what to run, unless the schema is the one that this code wants."""
    if is_current(connection):
        return
    from actors.persistence import schema

    schema.require_current(connection)
