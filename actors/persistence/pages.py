"""Stored rows in parts, the newest first: each part goes on after the last key of the part before.

New rows stand before the newest, so that paging meets every row once while others are being written.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import (
    REAL,
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    cast,
    select,
    tuple_,
    type_coerce,
)

from actors.persistence import tables
from trading.errors import InputError

Row = dict[str, Any]
LAST_MS = 253_402_300_799_999  # the end of the year 9999

_DIGEST_BYTES = 12
_Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Time = Annotated[int, Meta(ge=0, le=LAST_MS)]
_Name = Annotated[str, Meta(pattern=r"^[^\x00]*$")]


class Span(Struct, frozen=True):
    """Times from `start_ms` (included) to `end_ms` (excluded); None is open."""

    start_ms: int | None = None
    end_ms: int | None = None


ALWAYS = Span()


class OrderFilter(Struct, frozen=True):
    """Orders of these symbols and states that were decided in this time; empty is all."""

    symbols: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    span: Span = ALWAYS


class TradeFilter(Struct, frozen=True):
    """Trades of these symbols and exit reasons that exited in this time; `won` is None for both results."""

    symbols: tuple[str, ...] = ()
    exit_reasons: tuple[str, ...] = ()
    won: bool | None = None
    span: Span = ALWAYS


class DecisionFilter(Struct, frozen=True):
    """Decisions on these symbols at open times of this span; `came` is approved, refused, unchanged."""

    symbols: tuple[str, ...] = ()
    came: str = ""
    span: Span = ALWAYS


class LogFilter(Struct, frozen=True):
    """Lines of these levels and this source that contain a text, whatever the case of its ASCII letters."""

    levels: tuple[str, ...] = ()
    source: str = ""
    contains: str = ""
    span: Span = ALWAYS


class Cut(NamedTuple):
    """Which part: at most `size` rows, after the part that gave the token."""

    size: int
    token: str = ""


class Part(NamedTuple):
    """Rows, and the token of the next part; empty at the end."""

    rows: list[Row]
    token: str


class _List(NamedTuple):
    """A table in the order of its newest rows: by these columns, whose values have this type."""

    key: tuple[Column[Any], ...]
    shape: Any

    @property
    def table(self) -> Table:
        return self.key[0].table


_ORDERS = _List((tables.orders.c.sequence, tables.orders.c.id), tuple[_Whole, _Name])
_TRADES = _List((tables.trades.c.sequence, tables.trades.c.entry_order_id), tuple[_Whole, _Name])
_DECISIONS = _List((tables.decisions.c.open_time, tables.decisions.c.symbol), tuple[_Time, _Name])
_DAYS = _List((tables.daily_stats.c.day,), tuple[date])
_LOG = _List((tables.system_log.c.id,), tuple[_Whole])


def orders(connection: Connection, run_id: int, chosen: OrderFilter, cut: Cut) -> Part:
    """Orders by the journal entry that made them. Raises InputError for a token that is not of this list."""
    table = tables.orders.c
    conditions = [
        *_one_of(table.symbol, chosen.symbols),
        *_one_of(table.state, chosen.states),
        *within(table.decided_at, chosen.span),
    ]
    return _part(connection, _ORDERS, run_id, chosen, conditions, cut)


def trades(connection: Connection, run_id: int, chosen: TradeFilter, cut: Cut) -> Part:
    """Trades by the journal entry of their exit. Raises InputError for a token that is not of this list."""
    table = tables.trades.c
    conditions = [
        *_one_of(table.symbol, chosen.symbols),
        *_one_of(table.exit_reason, chosen.exit_reasons),
        *within(table.exit_time, chosen.span),
    ]
    if chosen.won is not None:
        earned = _is_positive(connection, table.realized_profit)
        conditions.append(earned if chosen.won else ~earned)
    return _part(connection, _TRADES, run_id, chosen, conditions, cut)


def decisions(connection: Connection, run_id: int, chosen: DecisionFilter, cut: Cut) -> Part:
    """Decisions by open time and symbol. Raises InputError for a token that is not of this list."""
    table = tables.decisions.c
    conditions = [*_one_of(table.symbol, chosen.symbols), *within(table.open_time, chosen.span)]
    if chosen.came == "unchanged":
        conditions.append(table.verdict.is_(None))
    elif chosen.came:
        conditions.append(table.verdict == chosen.came)
    return _part(connection, _DECISIONS, run_id, chosen, conditions, cut)


def days(connection: Connection, run_id: int, cut: Cut) -> Part:
    """Daily statistics by day. Raises InputError for a token that is not of this list."""
    return _part(connection, _DAYS, run_id, None, [], cut)


def log(connection: Connection, chosen: LogFilter, cut: Cut) -> Part:
    """Lines of the log of every run. Raises InputError for a token that is not of this list."""
    table = tables.system_log.c
    conditions = [*_one_of(table.level, chosen.levels), *within(table.time, chosen.span)]
    if chosen.source:
        conditions.append(table.source == chosen.source)
    if chosen.contains:
        conditions.append(table.text.icontains(chosen.contains, autoescape=True))
    return _part(connection, _LOG, None, chosen, conditions, cut)


def candles(connection: Connection, run_id: int, symbol: str, span: Span, limit: int) -> list[Row]:
    """The newest candles of a symbol in a span, the oldest first."""
    table = tables.candles
    query = select(table).where(
        table.c.run_id == run_id, table.c.symbol == symbol, *within(table.c.open_time, span)
    )
    return _rows(connection, query.order_by(table.c.open_time.desc()).limit(limit))[::-1]


def within(column: Column[int], span: Span) -> list[ColumnElement[bool]]:
    """The conditions of a span."""
    conditions = []
    if span.start_ms is not None:
        conditions.append(column >= span.start_ms)
    if span.end_ms is not None:
        conditions.append(column < span.end_ms)
    return conditions


def _one_of(column: Column[str], allowed: Sequence[str]) -> list[ColumnElement[bool]]:
    return [column.in_(allowed)] if allowed else []


def _is_positive(connection: Connection, column: Column[Any]) -> ColumnElement[bool]:
    """Whether money is over zero. SQLite keeps it as text, whose sign and digits a REAL cannot lose."""
    if connection.dialect.name != "sqlite":
        return column > 0
    return cast(type_coerce(column, Text), REAL) > 0


def _part(
    connection: Connection,
    listed: _List,
    run_id: int | None,
    chosen: Struct | None,
    conditions: Iterable[ColumnElement[bool]],
    cut: Cut,
) -> Part:
    facts = msgspec.json.encode((str(listed.table.name), run_id, chosen))
    query = select(listed.table).where(*conditions)
    if run_id is not None:
        query = query.where(listed.table.c.run_id == run_id)
    if cut.token:
        query = query.where(tuple_(*listed.key) < _key_of(cut.token, facts, listed.shape))
    newest_first = query.order_by(*(column.desc() for column in listed.key))
    rows = _rows(connection, newest_first.limit(cut.size + 1))
    if len(rows) <= cut.size:
        return Part(rows, "")
    last = rows[cut.size - 1]
    return Part(rows[:-1], _token_of(tuple(last[column.name] for column in listed.key), facts))


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    result = connection.execute(query)
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def _token_of(key: tuple[Any, ...], facts: bytes) -> str:
    body = msgspec.json.encode(key)
    digest = hashlib.sha256(facts + body).digest()[:_DIGEST_BYTES]
    return base64.urlsafe_b64encode(digest + body).decode().rstrip("=")


def _key_of(token: str, facts: bytes, shape: Any) -> tuple[Any, ...]:
    """The key that a token was made of, for the same list and filters."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        key: tuple[Any, ...] = msgspec.json.decode(raw[_DIGEST_BYTES:], type=shape)
    except (ValueError, msgspec.DecodeError):
        raise _foreign_token() from None
    if _token_of(key, facts) != token:
        raise _foreign_token()
    return key


def _foreign_token() -> InputError:
    return InputError(
        "page.token: it is not of this list with these filters; leave it empty to begin at the newest row"
    )
