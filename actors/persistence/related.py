"""What belongs to stored orders and decisions: fills, a decision's order, the signals behind its votes."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from actors.persistence import tables

Row = dict[str, Any]
TIMES_AT_ONCE = 500


class Heard(NamedTuple):
    """The signals behind decisions: by symbol and open time those who gave none, by symbol the reasons of
    those who gave one (by strategy and open time)."""

    absent: dict[tuple[str, int], list[Row]]
    reasons: dict[str, dict[tuple[str, int], list[str]]]


def fills_of(connection: Connection, run_id: int, order_ids: Sequence[str]) -> dict[str, list[Row]]:
    """The fills of at most 1,000 orders by order, each order's the oldest first."""
    table = tables.fills
    # SQLite has no statistics: it would walk all fills of the run, by their key or in the order asked for,
    # and pass over the index on `order_id`. So the run is an expression, and the rows are sorted here.
    query = select(table).where(table.c.order_id.in_(order_ids), table.c.run_id + 0 == run_id)
    found: dict[str, list[Row]] = defaultdict(list)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in sorted(rows, key=lambda row: (row["sequence"], row["id"])):
        found[row["order_id"]].append(row)
    return found


def order(connection: Connection, run_id: int, order_id: str) -> Row | None:
    """An order."""
    table = tables.orders
    query = select(table).where(table.c.run_id == run_id, table.c.id == order_id)
    row = connection.execute(query).mappings().first()
    return dict(row) if row else None


def decision(connection: Connection, run_id: int, symbol: str, open_time_ms: int) -> Row | None:
    """The decision on a symbol at the close of the candle that opened then."""
    table = tables.decisions
    query = select(table).where(
        table.c.run_id == run_id, table.c.open_time == open_time_ms, table.c.symbol == symbol
    )
    row = connection.execute(query).mappings().first()
    return dict(row) if row else None


def decided_before(connection: Connection, run_id: int, symbol: str, open_time_ms: int) -> int | None:
    """The open time of the newest decision on a symbol before this one."""
    table = tables.decisions
    query = select(table.c.open_time).where(
        table.c.run_id == run_id, table.c.open_time < open_time_ms, table.c.symbol == symbol
    )
    return connection.scalar(query.order_by(table.c.open_time.desc()).limit(1))


def heard(connection: Connection, run_id: int, decisions: Sequence[Row]) -> Heard:
    """The signals behind at most 1,000 decisions."""
    absent: dict[tuple[str, int], list[Row]] = defaultdict(list)
    reasons: dict[str, dict[tuple[str, int], list[str]]] = defaultdict(dict)
    for row in _signals(connection, run_id, decisions):
        if row["side"] is None:
            absent[row["symbol"], row["open_time"]].append(row)
        elif row["reasons"]:
            reasons[row["symbol"]][row["strategy"], row["open_time"]] = json.loads(row["reasons"])
    return Heard(absent, reasons)


def _signals(connection: Connection, run_id: int, decisions: Sequence[Row]) -> Iterable[Row]:
    table = tables.signals
    symbols = sorted({row["symbol"] for row in decisions})
    times = sorted({time_ms for row in decisions for time_ms in _times(row)})
    for start in range(0, len(times), TIMES_AT_ONCE):
        query = select(table).where(
            table.c.run_id == run_id,
            table.c.open_time.in_(times[start : start + TIMES_AT_ONCE]),
            table.c.symbol.in_(symbols),
        )
        for row in connection.execute(query).mappings():
            yield dict(row)


def _times(decision: Row) -> Iterable[int]:
    """The open times of a decision and of its votes, some of which may be older."""
    yield decision["open_time"]
    for _strategy, _side, _confidence, _weight, open_time_ms in json.loads(decision["votes"] or "[]"):
        yield open_time_ms
