"""From journal entries to the rows of one run's tables."""

from collections import defaultdict
from collections.abc import Callable, Set
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Table, Update, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from actors.persistence import tables
from actors.persistence.bulk import insert_rows
from actors.persistence.daily import Day, Days, day_of, day_row
from actors.persistence.log import notice_row
from actors.persistence.order_rows import ORDER_DECISIONS, OrderRows
from actors.persistence.rows import (
    Row,
    abstention_row,
    candle_row,
    decision_row,
    equity_row,
    fill_row,
    position_row,
    risk_row,
    signal_row,
    trade_row,
)
from actors.persistence.runs import Run
from actors.persistence.units import Units
from trading.decisions import (
    AnyDecision,
    EquityMarked,
    FillBooked,
    Noticed,
    OutcomeDecided,
    PositionOpened,
    TradeClosed,
)
from trading.events import CandlesClosed, SignalsCollected
from trading.journal import Entry
from trading.ledger import Position
from trading.state import EngineState


class Projection:
    """What a batch of one run's entries changes in its tables.

    Give it the entries in order with `add`, then call `write` once. Orders are inserted when they are
    intended (or filled: a simulated stop never waits as an order), and updated as they change and end.
    """

    def __init__(self, run: Run, newest_day: Day | None) -> None:
        self._run = run
        self._units = Units(run.rules)
        self._days = Days(newest_day, run.rules.initial_capital)
        self._rows: dict[Table, list[Row]] = defaultdict(list)
        self._late_signals: list[Row] = []
        self._orders = OrderRows(self._units)
        self._positions: dict[str, Position | None] = {}

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        event = entry.event
        if isinstance(event, CandlesClosed):
            time_ms = event.open_time_ms
            self._rows[tables.candles] += [candle_row(each, time_ms, self._units) for each in event.candles]
        elif isinstance(event, SignalsCollected):
            self._add_signals(event)
        for decision in entry.decisions:
            handler = _HANDLERS.get(type(decision))
            if handler is not None:
                handler(self, decision, entry)

    def write(self, connection: Connection, state: EngineState | None = None) -> None:
        """Store all rows; the state after the last entry gives the stops and `risk_state`."""
        for table, rows in self._rows.items():
            insert_rows(connection, table, [{**row, "run_id": self._run.id} for row in rows])
        self._upsert(connection, tables.signals, self._late_signals)
        self._write_orders(connection)
        self._write_days(connection)
        if state is not None:
            self._positions.update({name: each.position for name, each in state.symbols.items()})
            self._execute(connection, delete(tables.risk_state).where(_mine(tables.risk_state)), [{}])
            self._execute(connection, insert(tables.risk_state), [risk_row(state, self._units)])
        self._write_positions(connection)

    def _add_signals(self, event: SignalsCollected) -> None:
        rows = self._rows[tables.signals]
        rows += [abstention_row(each, event.open_time_ms) for each in event.abstentions]
        for signal in event.signals:
            late = signal.open_time_ms != event.open_time_ms
            (self._late_signals if late else rows).append(signal_row(signal))

    def _equity_marked(self, decision: EquityMarked, _entry: Entry) -> None:
        self._days.mark(decision)
        self._rows[tables.equity].append(equity_row(decision, self._units))

    def _outcome_decided(self, decision: OutcomeDecided, _entry: Entry) -> None:
        self._rows[tables.decisions].append(decision_row(decision))

    def _order_decided(self, decision: AnyDecision, entry: Entry) -> None:
        self._orders.add(decision, entry)

    def _fill_booked(self, decision: FillBooked, entry: Entry) -> None:
        self._orders.add(decision, entry)
        self._rows[tables.fills].append(fill_row(decision.fill, entry.sequence, self._units))

    def _position_opened(self, decision: PositionOpened, _entry: Entry) -> None:
        self._positions[decision.position.symbol] = decision.position

    def _trade_closed(self, decision: TradeClosed, entry: Entry) -> None:
        self._days.book(decision.trade)
        self._positions[decision.trade.symbol] = None
        self._rows[tables.trades].append(trade_row(decision.trade, entry.sequence, self._units))

    def _noticed(self, decision: Noticed, entry: Entry) -> None:
        row = notice_row(decision, entry, self._run.rules.timeframe_ms)
        self._rows[tables.system_log].append(row)

    def _write_orders(self, connection: Connection) -> None:
        """An order that is there keeps the entry that made it."""
        table, orders = tables.orders, self._orders
        self._upsert(connection, table, [*orders.whole.values()], frozenset({"sequence"}))
        upsert = _upsert(connection, table)
        filled = {name: upsert.excluded[name] for name in ("state", "filled", "ended_why")}
        self._execute(
            connection, upsert.on_conflict_do_update(table.primary_key, set_=filled), [*orders.fills.values()]
        )
        for names, rows in orders.changes():
            changed = update(table).where(_mine(table), table.c.id == bindparam("b_id"))
            self._execute(connection, changed.values({name: bindparam(name) for name in names}), rows)

    def _write_days(self, connection: Connection) -> None:
        timeframe_ms = self._run.rules.timeframe_ms
        days = self._days.touched.values()
        rows = [day_row(day, timeframe_ms, self._units) for day in days]
        self._upsert(connection, tables.daily_stats, rows)

    def _write_positions(self, connection: Connection) -> None:
        table = tables.positions
        gone = delete(table).where(_mine(table), table.c.symbol == bindparam("b_symbol"))
        self._execute(connection, gone, [{"b_symbol": symbol} for symbol in self._positions])
        held = [each for each in self._positions.values() if each is not None]
        self._execute(connection, insert(table), [position_row(each, self._units) for each in held])

    def _upsert(
        self, connection: Connection, table: Table, rows: list[Row], kept: Set[str] = frozenset()
    ) -> None:
        """Insert rows, or put them in the place of those with the same key, but for the columns `kept`."""
        upsert = _upsert(connection, table)
        kept = {*kept, *table.primary_key.columns.keys()}
        changed = {column.name: column for column in upsert.excluded if column.name not in kept}
        self._execute(connection, upsert.on_conflict_do_update(table.primary_key, set_=changed), rows)

    def _execute(self, connection: Connection, statement: Insert | Update | Delete, rows: list[Row]) -> None:
        """Run a statement for every row of this run; nothing when there are none."""
        if rows:
            key = "run_id" if isinstance(statement, Insert) else "b_run_id"
            connection.execute(statement, [{**row, key: self._run.id} for row in rows])


def newest_day(connection: Connection, run: Run) -> Day | None:
    """The day that the run stands in, as it was stored."""
    table = tables.daily_stats
    newest = select(table).where(table.c.run_id == run.id).order_by(table.c.day.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    return day_of(dict(row), Units(run.rules)) if row else None


def clear(connection: Connection, run_id: int) -> None:
    """Delete every row that a run's journal gave."""
    for table in tables.PROJECTIONS:
        connection.execute(delete(table).where(table.c.run_id == run_id))
    log = tables.system_log
    connection.execute(delete(log).where(log.c.run_id == run_id, log.c.sequence.is_not(None)))


def _mine(table: Table) -> Any:
    return table.c.run_id == bindparam("b_run_id")


def _upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


_HANDLERS: dict[type[Any], Callable[[Projection, Any, Entry], None]] = {
    EquityMarked: Projection._equity_marked,
    OutcomeDecided: Projection._outcome_decided,
    **dict.fromkeys(ORDER_DECISIONS, Projection._order_decided),
    FillBooked: Projection._fill_booked,
    PositionOpened: Projection._position_opened,
    TradeClosed: Projection._trade_closed,
    Noticed: Projection._noticed,
}
