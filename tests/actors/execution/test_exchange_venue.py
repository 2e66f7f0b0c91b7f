"""Execution at the local exchange, through ccxt, with a real database: each order at most once."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.execution import exchange as execution
from actors.execution.spec import OwnLimits
from actors.ports import WantedOrder
from tests.actors.execution.desks import Asker, Desk, an_order, open_desk, resting, until, working
from tests.support.exchange import API_KEY, API_SECRET
from tests.support.runs import FIRST_OPEN_MS
from trading.client_ids import client_id
from trading.order_tracking import NEVER_ARRIVED, NEVER_SENT
from trading.orders import OrderKind, OrderState
from trading.signals import Side

LATER_MS = 400


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AUTOTRADER__EXCHANGE__API_KEY", API_KEY)
    monkeypatch.setenv("AUTOTRADER__EXCHANGE__API_SECRET", API_SECRET)
    async with open_desk(tmp_path) as opened:
        yield opened


def approved(desk: Desk, *orders: WantedOrder) -> tuple[WantedOrder, ...]:
    """The orders, stored."""
    for order in orders:
        desk.approve(order)
    return orders


def old(wanted: WantedOrder, cancel: bool = False) -> WantedOrder:
    """The order as it is told again to another process."""
    return replace(wanted, fresh=False, cancel=cancel)


async def test_market_order_is_sent_once_and_told_with_its_fills(desk: Desk) -> None:
    desk.exchange.set(fill_parts=3)
    (order,) = approved(desk, an_order())
    report = await (await working(desk.venue(), order)).final(order)
    truth = desk.exchange.truth()
    assert desk.sent(order) == 1
    assert (report.state, report.filled) == (OrderState.FILLED, Decimal("0.01"))
    assert report.exchange_id == str(truth.order(order.placement.client_id).id)
    fills = [(each.price, each.amount, each.fee) for each in truth.fills_of(order.placement.client_id)]
    assert [(each.price, each.amount, each.fee) for each in report.executions] == fills
    assert len(fills) == 3 and {each.fee_currency for each in report.executions} == {"BTC"}


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ({"reset": True}, OrderState.REFUSED),
        ({"reset": True, "executed": True}, OrderState.FILLED),
        ({"status": 503, "executed": True}, OrderState.FILLED),
        ({"code": -1007, "status": 500, "executed": True}, OrderState.FILLED),
        ({"reset": True, "late_ms": LATER_MS}, OrderState.FILLED),
        ({"body": '{"symbol":"BTCUSDT"}', "executed": True}, OrderState.FILLED),
        ({"cut": True, "executed": True}, OrderState.FILLED),
        ({"code": -2010, "message": "Account has insufficient balance."}, OrderState.REFUSED),
    ],
)
async def test_order_whose_sending_goes_wrong_is_never_sent_again(
    desk: Desk, fault: dict[str, Any], ends: OrderState
) -> None:
    desk.exchange.set(orders_hidden_ms=300, trades_hidden_ms=300)
    desk.exchange.fault(method="POST", path="/order", **fault)
    (order,) = approved(desk, an_order())
    report = await (await working(desk.venue(), order)).final(order)
    truth = desk.exchange.truth()
    assert (report.state, desk.sent(order)) == (ends, 1)
    fills = [each for each in truth.fills if each.client_id == order.placement.client_id]
    assert sum(each.amount for each in fills) == report.filled
    assert [each.amount for each in report.executions] == [each.amount for each in fills]


async def test_order_that_an_earlier_process_sent_is_asked_for(desk: Desk) -> None:
    desk.exchange.fault(method="POST", path="/order", executed=True, hold_ms=1_500)
    (order,) = approved(desk, an_order())
    first = desk.venue()
    incarnation = await first.work((), "")
    await first.work([order], incarnation)
    await until(lambda: desk.sent(order) == 1)
    second = desk.venue()
    assert await second.work([order], incarnation) != incarnation
    report = await Asker(second).final(order)
    assert (report.state, desk.sent(order)) == (OrderState.FILLED, 1)


async def test_order_that_no_earlier_process_sent_is_refused_after_the_window(desk: Desk) -> None:
    (order,) = approved(desk, an_order())
    venue = desk.venue()
    await venue.work([order], "an earlier process")
    began = time.monotonic()
    report = await Asker(venue).final(order)
    assert (report.state, report.why) == (OrderState.REFUSED, NEVER_ARRIVED)
    assert time.monotonic() - began >= (desk.spec.recv_window_ms + 1_000 + 500) / 1000
    incarnation = await venue.work([], "")
    await venue.work([order], incarnation)
    asker = Asker(venue)
    await asker.state(order, OrderState.UNKNOWN)
    assert desk.sent(order) == 0


async def test_open_order_is_cancelled_although_the_answer_is_lost(desk: Desk) -> None:
    (order,) = approved(desk, resting())
    venue = desk.venue()
    asker = await working(venue, order)
    await asker.state(order, OrderState.OPEN)
    desk.exchange.fill(order.placement.client_id, "0.004")
    desk.exchange.fault(method="DELETE", path="/order", reset=True, executed=True)
    await venue.work([old(order, cancel=True)], asker.incarnation)
    report = await asker.final(order)
    assert (report.state, report.filled) == (OrderState.CANCELLED, Decimal("0.004"))
    assert [each.amount for each in report.executions] == [Decimal("0.004")]


async def test_cancel_wanted_before_the_order_leaves_keeps_it_here(desk: Desk) -> None:
    (order,) = approved(desk, an_order())
    venue = desk.venue()
    asker = await working(venue, replace(order, cancel=True))
    report = await asker.final(order)
    assert (report.state, report.why, desk.sent(order)) == (OrderState.CANCELLED, NEVER_SENT, 0)


async def test_cancel_of_an_order_that_is_filled_tells_the_fill(desk: Desk) -> None:
    (order,) = approved(desk, resting())
    venue = desk.venue()
    asker = await working(venue, order)
    await asker.state(order, OrderState.OPEN)
    desk.exchange.fill(order.placement.client_id, "0.01")
    await venue.work([old(order, cancel=True)], asker.incarnation)
    assert (await asker.final(order)).state is OrderState.FILLED


async def test_partly_filled_order_is_told_on_the_way(desk: Desk) -> None:
    (order,) = approved(desk, resting())
    asker = await working(desk.venue(), order)
    await asker.state(order, OrderState.OPEN)
    desk.exchange.fill(order.placement.client_id, "0.003")
    report = await asker.until(lambda each: len(each.executions) == 1, order.order_id)
    assert (report.state, report.filled) == (OrderState.PARTLY_FILLED, Decimal("0.003"))
    desk.exchange.fill(order.placement.client_id, "0.007")
    report = await asker.final(order)
    assert [each.amount for each in report.executions] == [Decimal("0.003"), Decimal("0.007")]


async def test_slow_order_does_not_hold_up_another_symbol(desk: Desk) -> None:
    desk.exchange.fault(method="POST", path="/order", params={"symbol": "BTCUSDT"}, hold_ms=1_500)
    slow, quick = approved(desk, an_order("slow"), an_order("quick", "ETH/USDT", Side.SELL, amount="0.1"))
    asker = await working(desk.venue(), slow, quick)
    assert (await asker.final(quick)).state is OrderState.FILLED
    assert slow.order_id not in asker.reports


@pytest.mark.parametrize(
    "sent",
    [
        an_order(amount="0.02"),
        an_order(symbol="ETH/USDT"),
        an_order(side=Side.SELL),
        an_order(kind=OrderKind.LIMIT, limit="70000"),
        an_order(kind=OrderKind.STOP, trigger="50000"),
        replace(an_order(), placement=replace(an_order().placement, client_id=client_id("0" * 8, "entry"))),
        an_order("not stored"),
    ],
)
async def test_order_that_was_not_approved_like_this_halts_the_process(desk: Desk, sent: WantedOrder) -> None:
    _, good = approved(desk, an_order(), an_order("later", "ETH/USDT", Side.SELL, amount="0.1"))
    venue = desk.venue()
    asker = await working(venue, sent)
    assert (await asker.final(sent)).state is OrderState.REFUSED
    await venue.work([sent, good], asker.incarnation)
    report = await asker.final(good)
    assert report.state is OrderState.REFUSED and asker.halted in report.why
    assert f"order {sent.order_id}" in asker.halted
    assert desk.alarms() == [f"no order is sent: {asker.halted}"]
    assert desk.exchange.truth().orders == []


async def test_halted_process_still_cancels(desk: Desk) -> None:
    (order,) = approved(desk, resting())
    venue, wrong = desk.venue(), an_order("not stored")
    asker = await working(venue, order)
    await asker.state(order, OrderState.OPEN)
    await venue.work([order, wrong], asker.incarnation)
    await asker.final(wrong)
    await venue.work([old(order, cancel=True), wrong], asker.incarnation)
    assert (await asker.final(order)).state is OrderState.CANCELLED


async def test_other_order_under_our_client_id_halts_the_process(desk: Desk) -> None:
    (order,) = approved(desk, an_order())
    named = {"newClientOrderId": order.placement.client_id}
    desk.exchange.order_by_hand("ETH/USDT", "SELL", "MARKET", "0.1")
    desk.exchange.order_by_hand("BTC/USDT", "BUY", "MARKET", "0.02", **named)
    asker = await working(desk.venue(), old(order))
    report = await asker.state(order, OrderState.UNKNOWN)
    assert "its amount is 0.01, but 0.02" in report.why
    assert asker.halted == report.why


async def test_process_whose_turn_is_over_sends_nothing(desk: Desk) -> None:
    first, second = desk.venue(), desk.venue()
    await first.work([], "")
    await until(lambda: desk.epoch() == 1)
    await second.work([], "")
    await until(lambda: desk.epoch() == 2)
    early, late = approved(desk, an_order("early"), an_order("late"))
    asker = await working(first, early)
    assert (await asker.final(early)).state is OrderState.REFUSED
    assert "another process sends orders now" in asker.halted
    assert (await (await working(second, late)).final(late)).state is OrderState.FILLED
    assert (desk.sent(early), desk.sent(late)) == (0, 1)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (OwnLimits(max_orders_per_minute=1), "max_orders_per_minute"),
        (OwnLimits(max_order_notional=Decimal("1199.99")), "max_order_notional"),
        (OwnLimits(max_daily_notional=Decimal("1799.99")), "max_daily_notional"),
    ],
)
async def test_buy_over_a_limit_of_its_own_is_refused_and_a_sell_is_not(
    desk: Desk, limits: OwnLimits, name: str
) -> None:
    small, big = an_order("small"), an_order("big", amount="0.02")
    sell = an_order("sell", "ETH/USDT", Side.SELL, amount="0.9")
    asker = await working(desk.venue(limits), *approved(desk, small))
    assert (await asker.final(small)).state is OrderState.FILLED
    await asker.venue.work(approved(desk, big, sell), asker.incarnation)
    refused = await asker.final(big)
    assert refused.state is OrderState.REFUSED and name in refused.why
    assert (await asker.final(sell)).state is OrderState.FILLED
    assert (desk.sent(big), asker.halted) == (0, "")


async def test_daily_limit_counts_the_buys_of_that_day_alone(desk: Desk) -> None:
    before, order = an_order("yesterday"), an_order("today")
    desk.approve(before, decided_ms=FIRST_OPEN_MS - 1)
    desk.approve(order)
    asker = await working(desk.venue(OwnLimits(max_daily_notional=Decimal(600))), order)
    assert (await asker.final(order)).state is OrderState.FILLED


async def test_news_are_what_changed_after_the_cursor(desk: Desk) -> None:
    first, second = approved(desk, resting("first"), resting("second", "ETH/USDT"))
    venue = desk.venue()
    asker = await working(venue, first, second)
    await asker.state(first, OrderState.OPEN)
    await asker.state(second, OrderState.OPEN)
    asker.history.clear()
    desk.exchange.fill(second.placement.client_id, "0.01")
    await asker.final(second)
    assert {each.order_id for each in asker.history} == {"second"}
    everything = await venue.news("an earlier process", asker.cursor)
    assert {each.order_id for each in everything.reports} == {"first", "second"}
    await venue.work([old(first)], asker.incarnation)
    assert [each.order_id for each in (await venue.news("", 0)).reports] == ["first"]


async def test_order_that_is_told_twice_is_worked_on_once(desk: Desk) -> None:
    (order,) = approved(desk, an_order())
    venue = desk.venue()
    incarnation = await venue.work((), "")
    for _ in range(3):
        assert await venue.work([order], incarnation) == incarnation
    asker = Asker(venue)
    await asker.final(order)
    await venue.work([], incarnation)
    await venue.work([order], incarnation)
    asker.reports.clear()
    assert (await asker.final(order)).state is OrderState.FILLED
    assert desk.sent(order) == 1


async def test_stop_lets_what_is_under_way_finish(desk: Desk) -> None:
    desk.exchange.fault(method="POST", path="/order", executed=True, hold_ms=500)
    under_way, late = approved(desk, an_order("under way"), an_order("late"))
    venue = desk.venue()
    asker = await working(venue, under_way)
    await until(lambda: desk.sent(under_way) == 1)
    stopping = asyncio.create_task(venue.stop())
    await asyncio.sleep(0)
    await venue.work([under_way, late], asker.incarnation)
    await stopping
    assert (await asker.final(under_way)).state is OrderState.FILLED
    assert desk.sent(late) == 0


async def test_stop_waits_two_seconds_at_most(desk: Desk) -> None:
    desk.exchange.fault(method="POST", path="/order", hold_ms=30_000)
    (order,) = approved(desk, an_order())
    venue = desk.venue()
    await working(venue, order)
    await until(lambda: desk.sent(order) == 1)
    began = time.monotonic()
    await venue.stop()
    assert time.monotonic() - began < 4


async def test_exchange_that_is_down_at_the_start_is_told_and_tried_again(desk: Desk) -> None:
    port = desk.exchange.port
    await desk.exchange.stop()
    (order,) = approved(desk, an_order())
    venue = desk.venue()
    asker = await working(venue, order)
    async with asyncio.timeout(20):
        while not (await venue.health()).facts["trouble"]:
            await asyncio.sleep(0.01)
    assert (await venue.account(), await venue.filters()) == (None, ())
    await desk.exchange.start(port)
    assert (await asker.final(order)).state is OrderState.FILLED
    facts = (await venue.health()).facts
    assert (facts["open"], facts["trouble"], facts["orders"]) == (True, "", 0)


async def test_order_that_cannot_leave_soon_never_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "SEND_WITHIN_MS", 300)
    port = desk.exchange.port
    await desk.exchange.stop()
    (order,) = approved(desk, an_order())
    venue = desk.venue()
    report = await (await working(venue, order)).final(order)
    assert report.state is OrderState.REFUSED and "it could not be sent" in report.why
    await desk.exchange.start(port)
    async with asyncio.timeout(20):
        while not (await venue.health()).facts["open"]:
            await asyncio.sleep(0.01)
    assert desk.exchange.truth().orders == []


async def test_account_and_filters_are_those_of_the_exchange(desk: Desk) -> None:
    (order,) = approved(desk, resting())
    venue = desk.venue()
    await (await working(venue, order)).state(order, OrderState.OPEN)
    account = await venue.account()
    assert account is not None
    assert account.holdings == {"USDT": Decimal(10_000), "ETH": Decimal(1)}
    assert [each.client_id for each in account.open_orders] == [order.placement.client_id]
    assert [each.symbol for each in await venue.filters()] == ["BTC/USDT", "ETH/USDT"]


async def test_stop_order_stands_at_its_trigger_and_ends_filled(desk: Desk) -> None:
    stop = an_order("stop", "ETH/USDT", Side.SELL, OrderKind.STOP, amount="0.5", trigger="2900", limit="2813")
    asker = await working(desk.venue(), *approved(desk, stop))
    await asker.state(stop, OrderState.OPEN)
    desk.exchange.set_price("ETH/USDT", "2899")
    report = await asker.final(stop)
    assert (report.state, report.filled, desk.exchange.truth().problems) == (
        OrderState.FILLED,
        Decimal("0.5"),
        [],
    )
