"""Equity over time in few points: of each bucket of candles the last value, the lowest and the highest.

A bucket is a span of so many candles. The database walks each bucket along its key: nothing is sorted,
and no more than the points is loaded.
"""

import json
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    bindparam,
    func,
    select,
    type_coerce,
)

from actors.persistence import tables
from actors.persistence.columns import ExactDecimal, UtcTime, moment_of
from actors.persistence.pages import Span, within

Row = dict[str, Any]
Bucket = tuple[int, int]

_EQUITY = tables.equity.c
_PADDED = "%64s"
_MOMENTS = ARRAY(DateTime(timezone=True))


def equity_curve(
    connection: Connection, run_id: int, timeframe_ms: int, span: Span, points: int
) -> list[Row]:
    """At most so many rows, the oldest first: `open_time` of the bucket's last candle, `equity` at its close,
    `lowest` and `highest` of the bucket."""
    mine = (_EQUITY.run_id == run_id, *within(_EQUITY.open_time, span))
    # Two queries: SQLite finds one end along the key, but not both at once.
    first = connection.scalar(select(func.min(_EQUITY.open_time)).where(*mine))
    last = connection.scalar(select(func.max(_EQUITY.open_time)).where(*mine))
    if first is None or last is None:
        return []
    candles = (last - first) // timeframe_ms + 1
    width_ms = -(-candles // points) * timeframe_ms
    starts = range(first, last + 1, width_ms)
    return _rows(connection, run_id, [(start, min(start + width_ms, last + 1)) for start in starts])


def _rows(connection: Connection, run_id: int, buckets: list[Bucket]) -> list[Row]:
    bucket = _table_of(connection, buckets)
    inside = (
        _EQUITY.run_id == run_id,
        _EQUITY.open_time >= bucket.c.start_time,
        _EQUITY.open_time < bucket.c.end_time,
    )
    newest_first = _EQUITY.open_time.desc()
    ordered = _ordered(connection)
    query = select(
        select(_EQUITY.open_time).where(*inside).order_by(newest_first).limit(1).scalar_subquery(),
        select(_EQUITY.equity).where(*inside).order_by(newest_first).limit(1).scalar_subquery(),
        type_coerce(select(func.min(ordered)).where(*inside).scalar_subquery(), ExactDecimal),
        type_coerce(select(func.max(ordered)).where(*inside).scalar_subquery(), ExactDecimal),
    ).select_from(bucket)
    names = ("open_time", "equity", "lowest", "highest")
    found = [dict(zip(names, row, strict=True)) for row in connection.execute(query) if row[0] is not None]
    return sorted(found, key=lambda row: row["open_time"])


def _ordered(connection: Connection) -> ColumnElement[Any]:
    """Equity as something that sorts by its value. In SQLite it is a text of always the same decimals, and
    never negative."""
    if connection.dialect.name != "sqlite":
        return _EQUITY.equity
    return func.printf(_PADDED, _EQUITY.equity)


def _table_of(connection: Connection, buckets: list[Bucket]) -> FromClause:
    """The buckets as a table with the columns `start_time` and `end_time`, given as one or two parameters."""
    if connection.dialect.name == "sqlite":
        return _json_table(connection, buckets)
    moments = [
        bindparam(None, [moment_of(each) for each in side], _MOMENTS) for side in zip(*buckets, strict=True)
    ]
    return func.unnest(*moments).table_valued("start_time", "end_time").render_derived()


def _json_table(connection: Connection, buckets: list[Bucket]) -> FromClause:
    text_of = UtcTime().process_bind_param
    texts = [[text_of(start, connection.dialect), text_of(end, connection.dialect)] for start, end in buckets]
    each = func.json_each(json.dumps(texts)).table_valued("value")
    start, end = func.json_extract(each.c.value, "$[0]"), func.json_extract(each.c.value, "$[1]")
    return select(start.label("start_time"), end.label("end_time")).subquery()
