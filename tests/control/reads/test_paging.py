"""Paging: every row once, the newest first, also while others are being stored; money as it is stored."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from actors.persistence import tables
from autotrader.v1 import decision_pb2, log_pb2, portfolio_pb2
from control.rows import milliseconds
from tests.control.reads.conftest import Client, Stored

Call = Callable[[Any], Awaitable[Any]]


async def everything(
    call: Call, request: Any, size: int, between: Callable[[], None] | None = None
) -> list[Any]:
    """All messages of a list, page by page; `between` is done after each page."""
    found: list[Any] = []
    while True:
        request.page.size = size
        answer = await call(request)
        [listed] = [value for field, value in answer.ListFields() if field.is_repeated] or [[]]
        assert len(listed) <= size
        found += listed
        if not answer.next_page_token:
            return found
        assert len(listed) == size
        request.page.token = answer.next_page_token
        if between is not None:
            between()


def dec(text: str) -> Decimal | None:
    """A decimal of the wire, which may have no exponent; None for none."""
    assert "e" not in text.lower()
    return Decimal(text) if text else None


async def test_orders_paged_while_more_are_stored_come_once_with_their_fills(
    stored: Stored, client: Client
) -> None:
    before = stored.rows(tables.orders, "sequence", "id")[::-1]
    assert len(before) > 50
    found = await everything(
        client.portfolio.ListOrders, portfolio_pb2.ListOrdersRequest(), 7, lambda: stored.go_on(3)
    )
    assert [order.id for order in found] == [row["id"] for row in before]
    assert len(stored.rows(tables.orders)) > len(before)
    fills = {row["id"]: row for row in stored.rows(tables.fills)}
    for order, row in zip(found, before, strict=True):
        assert dec(order.amount_base) == row["amount"]
        assert dec(order.sizing_price_quote) == row["sizing_price"]
        assert milliseconds(order.decided_at) == row["decided_at"]
        for fill in order.fills:
            stored_fill = fills.pop(fill.id)
            assert stored_fill["order_id"] == order.id
            money = [fill.amount_base, fill.price_quote, fill.notional_quote, fill.fee_quote]
            assert [dec(text) for text in money] == [
                stored_fill[name] for name in ("amount", "price", "notional", "fee")
            ]
    assert not {fill["order_id"] for fill in fills.values()} & {
        row["id"] for row in before if row["state"] == "filled"
    }


async def test_trades_paged_while_more_are_stored_come_once_with_exact_money(
    stored: Stored, client: Client
) -> None:
    before = stored.rows(tables.trades, "sequence", "entry_order_id")[::-1]
    found = await everything(
        client.portfolio.ListTrades, portfolio_pb2.ListTradesRequest(), 5, lambda: stored.go_on(3)
    )
    assert len(before) > 20
    assert [trade.entry_order_id for trade in found] == [row["entry_order_id"] for row in before]
    for trade, row in zip(found, before, strict=True):
        for name in ("entry_price", "entry_fee", "exit_price", "exit_fee", "realized_profit"):
            assert dec(getattr(trade, f"{name}_quote")) == row[name]
        assert dec(trade.amount_base) == row["amount"]
        exact = 100 * row["realized_profit"] / row["entry_notional"]
        assert abs(Decimal(trade.realized_profit_percent) - exact) <= Decimal("0.0000005")
        assert trade.votes and all(vote.reasons for vote in trade.votes if vote.side == 1)


async def test_decisions_paged_while_more_are_stored_come_once_with_votes_and_reasons(
    stored: Stored, client: Client
) -> None:
    before = stored.rows(tables.decisions, "open_time", "symbol")[::-1]
    found = await everything(
        client.decisions.ListDecisions, decision_pb2.ListDecisionsRequest(), 40, lambda: stored.go_on(2)
    )
    assert [(milliseconds(each.open_time), each.symbol) for each in found] == [
        (row["open_time"], row["symbol"]) for row in before
    ]
    signals = stored.rows(tables.signals)
    silent = {(row["open_time"], row["symbol"], row["strategy"]) for row in signals if row["side"] is None}
    told = {
        (milliseconds(each.open_time), each.symbol, absent.strategy)
        for each in found
        for absent in each.absent
        if absent.why == "late"
    }
    assert told == {key for key in silent if key[0] <= before[0]["open_time"]}
    for each in found:
        assert each.explanation and not each.HasField("order")
        for vote in each.votes:
            assert bool(vote.reasons) == (vote.side != 3)


async def test_days_and_log_lines_paged_come_once(stored: Stored, client: Client) -> None:
    days = stored.rows(tables.daily_stats, "day")[::-1]
    found = await everything(
        client.portfolio.ListDailyStatistics, portfolio_pb2.ListDailyStatisticsRequest(), 3
    )
    assert [each.day for each in found] == [row["day"].isoformat() for row in days]
    assert [dec(each.equity_quote) for each in found] == [row["equity"] for row in days]
    assert [each.sharpe if each.HasField("sharpe") else None for each in found] == [
        row["sharpe"] for row in days
    ]
    lines = stored.rows(tables.system_log, "id")[::-1]
    told = await everything(
        client.logs.ListLogEntries, log_pb2.ListLogEntriesRequest(), 4, lambda: stored.go_on(1)
    )
    assert [(each.id, each.text) for each in told] == [(row["id"], row["text"]) for row in lines]


async def test_a_page_of_exactly_all_rows_is_the_last(stored: Stored, client: Client) -> None:
    count = len(stored.rows(tables.daily_stats))
    request = portfolio_pb2.ListDailyStatisticsRequest()
    request.page.size = count
    answer = await client.portfolio.ListDailyStatistics(request)
    assert len(answer.days) == count
    assert answer.next_page_token == ""
    request.page.size = count - 1
    assert (await client.portfolio.ListDailyStatistics(request)).next_page_token


async def test_a_page_without_a_size_has_fifty_rows(stored: Stored, client: Client) -> None:
    answer = await client.decisions.ListDecisions(decision_pb2.ListDecisionsRequest())
    assert len(answer.decisions) == 50
