"""Filters: what a list gives is what the same filter in Python leaves of all rows."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.persistence import tables
from autotrader.v1 import common_pb2, decision_pb2, log_pb2, market_pb2, portfolio_pb2
from control.rows import ORDER_STATES, milliseconds, timestamp
from tests.control.reads.conftest import CANDLES, Client, Row, Stored
from tests.control.reads.test_paging import everything
from tests.support.runs import FIRST_OPEN_MS, HOUR_MS
from trading.orders import Reason

Span = tuple[int | None, int | None]


def forward(span: Span) -> bool:
    """Whether a span does not end before it begins."""
    start, end = span
    return start is None or end is None or start < end


END_MS = FIRST_OPEN_MS + (CANDLES + 2) * HOUR_MS
SYMBOLS = st.lists(st.sampled_from(["BTC/USDT", "ETH/USDT"]), max_size=3)
TIMES = st.none() | st.integers(FIRST_OPEN_MS - HOUR_MS, END_MS)
SPANS = st.tuples(TIMES, TIMES).filter(forward)
SIZES = st.sampled_from([25, 50, 1000])
PIECES = st.sampled_from(["%", "_", "\\", "/", "'", "0", "KILL", "kill", " ", "done", "The", "of"])

tried = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def range_of(span: Span) -> common_pb2.TimeRange:
    """A span as the wire has it."""
    start, end = span
    return common_pb2.TimeRange(
        start=None if start is None else timestamp(start), end=None if end is None else timestamp(end)
    )


def inside(time_ms: int, span: Span) -> bool:
    """Whether a half-open span holds a time."""
    start, end = span
    return (start is None or start <= time_ms) and (end is None or time_ms < end)


def newest_first(rows: list[Row]) -> list[Row]:
    """Rows that were sorted by time, turned."""
    return rows[::-1]


@tried
@given(SYMBOLS, st.lists(st.sampled_from(sorted(set(ORDER_STATES.values()))), max_size=3), SPANS, SIZES)
async def test_orders_filtered_are_those_that_python_leaves(
    stored: Stored, client: Client, symbols: list[str], states: list[Any], span: Span, size: int
) -> None:
    request = portfolio_pb2.ListOrdersRequest(symbols=symbols, states=states, range=range_of(span))
    found = await everything(client.portfolio.ListOrders, request, size)
    assert [order.id for order in found] == [
        row["id"]
        for row in newest_first(stored.rows(tables.orders, "sequence", "id"))
        if (not symbols or row["symbol"] in symbols)
        and (not states or ORDER_STATES[row["state"]] in states)
        and inside(row["decided_at"], span)
    ]


@tried
@given(
    SYMBOLS,
    st.lists(st.sampled_from([each.value for each in Reason]), max_size=3),
    st.integers(0, 2),
    SPANS,
    SIZES,
)
async def test_trades_filtered_are_those_that_python_leaves(
    stored: Stored, client: Client, symbols: list[str], reasons: list[str], result: Any, span: Span, size: int
) -> None:
    request = portfolio_pb2.ListTradesRequest(
        symbols=symbols, exit_reasons=reasons, result=result, range=range_of(span)
    )
    found = await everything(client.portfolio.ListTrades, request, size)
    assert [trade.entry_order_id for trade in found] == [
        row["entry_order_id"]
        for row in newest_first(stored.rows(tables.trades, "sequence", "entry_order_id"))
        if (not symbols or row["symbol"] in symbols)
        and (not reasons or row["exit_reason"] in reasons)
        and (not result or (row["realized_profit"] > 0) == (result == portfolio_pb2.TRADE_RESULT_WON))
        and inside(row["exit_time"], span)
    ]


@tried
@given(SYMBOLS, st.integers(0, 3), SPANS, SIZES)
async def test_decisions_filtered_are_those_that_python_leaves(
    stored: Stored, client: Client, symbols: list[str], kind: Any, span: Span, size: int
) -> None:
    request = decision_pb2.ListDecisionsRequest(symbols=symbols, kind=kind, range=range_of(span))
    found = await everything(client.decisions.ListDecisions, request, size)
    came = (..., "approved", "refused", None)[kind]
    assert [(milliseconds(each.open_time), each.symbol) for each in found] == [
        (row["open_time"], row["symbol"])
        for row in newest_first(stored.rows(tables.decisions, "open_time", "symbol"))
        if (not symbols or row["symbol"] in symbols)
        and (came is ... or row["verdict"] == came)
        and inside(row["open_time"], span)
    ]


@tried
@given(
    st.integers(0, 3),
    st.sampled_from(["", "engine", "control", "nobody"]),
    st.lists(PIECES, max_size=3),
    SPANS,
)
async def test_log_lines_filtered_are_those_that_python_leaves(
    stored: Stored, client: Client, least: Any, source: str, pieces: list[str], span: Span
) -> None:
    contains = "".join(pieces)
    request = log_pb2.ListLogEntriesRequest(
        least_level=least, source=source, contains=contains, range=range_of(span)
    )
    found = await everything(client.logs.ListLogEntries, request, 20)
    levels = ("info", "warning", "alarm")[max(0, least - 1) :]
    assert [each.id for each in found] == [
        row["id"]
        for row in newest_first(stored.rows(tables.system_log, "id"))
        if row["level"] in levels
        and source in ("", row["source"])
        and contains.lower() in row["text"].lower()
        and inside(row["time"], span)
    ]


@tried
@given(st.sampled_from(["BTC/USDT", "ETH/USDT"]), SPANS, st.integers(1, 400))
async def test_candles_of_a_range_are_its_newest_in_order(
    stored: Stored, client: Client, symbol: str, span: Span, limit: int
) -> None:
    request = market_pb2.ListCandlesRequest(symbol=symbol, range=range_of(span), limit=limit)
    found = (await client.market.ListCandles(request)).candles
    rows = [
        row
        for row in stored.rows(tables.candles, "open_time")
        if row["symbol"] == symbol and inside(row["open_time"], span)
    ]
    assert [
        (milliseconds(each.open_time), Decimal(each.close_quote), each.volume_base, each.filled)
        for each in found
    ] == [(row["open_time"], row["close"], row["volume"], row["filled"]) for row in rows[-limit:]]


async def test_a_bound_between_two_milliseconds_counts_as_the_later_one(
    stored: Stored, client: Client
) -> None:
    second = stored.rows(tables.candles, "open_time")[2]["open_time"]
    bound = timestamp(second)
    bound.nanos += 1
    request = market_pb2.ListCandlesRequest(symbol="BTC/USDT", range=common_pb2.TimeRange(end=bound))
    assert milliseconds((await client.market.ListCandles(request)).candles[-1].open_time) == second
    request = market_pb2.ListCandlesRequest(symbol="BTC/USDT", range=common_pb2.TimeRange(start=bound))
    assert milliseconds((await client.market.ListCandles(request)).candles[0].open_time) > second
