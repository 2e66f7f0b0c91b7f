"""Whatever goes wrong on the way: the answer says no more than what is certain."""

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from actors.exchange_client import ccxt_errors
from actors.execution.ccxt_account import CcxtAccount
from actors.execution.ccxt_errors import Reply, judge
from tests.support.accounts import BTC, ETH, limit, market, open_account, stop
from tests.support.exchange import LocalExchange
from trading.exchange_orders import Absent, Account, Refused, Standing, Stands, Unknown
from trading.orders import OrderState

OPEN_OUTCOMES: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503, "code": -1000},
    "503-1007": {"status": 503, "code": -1007},
    "503-1008": {"status": 503, "code": -1008},
    "503-html": {"status": 503, "body": "<html>busy</html>"},
    "502-that-says-refused": {"status": 502, "code": -2010, "message": "Filter failure: LOT_SIZE"},
    "400-1000": {"code": -1000},
    "400-1001": {"code": -1001},
    "400-1006": {"code": -1006},
    "400-1007": {"code": -1007},
    "400-html": {"status": 400, "body": "<html>proxy</html>"},
    "403-html": {"status": 403, "body": "<html>firewall</html>"},
    "404-html": {"status": 404, "body": "<html>nowhere</html>"},
    "400-empty": {"status": 400, "body": ""},
    "unknown-code": {"code": -4999},
    "duplicate": {"code": -2010, "message": "Duplicate order sent."},
    # aiohttp itself repeats a GET or DELETE on a line that was cut, once; never a POST.
    "reset": {"reset": True, "count": 2},
}
BODIES = {
    "list": "[]",
    "empty": "",
    "html": "<html>hello</html>",
    "null": "null",
    "number": "7",
    "object": "{}",
    "no-id": '{"symbol":"BTCUSDT"}',
    "no-client-id": '{"symbol":"BTCUSDT","orderId":5,"transactTime":1,"status":"FILLED"}',
    "other-client-id": '{"symbol":"BTCUSDT","orderId":5,"clientOrderId":"other","transactTime":1}',
    "other-symbol": '{"symbol":"ETHUSDT","orderId":5,"clientOrderId":"c1","transactTime":1}',
    "nested": '{"symbol":{"a":[1]},"orderId":{"b":2},"clientOrderId":["c1"]}',
    "odd-status": '{"symbol":"BTCUSDT","orderId":5,"clientOrderId":"c1","status":"MAYBE","origQty":"1",'
    '"executedQty":"0","side":"BUY","type":"MARKET"}',
    "not-a-number": '{"symbol":"BTCUSDT","orderId":5,"clientOrderId":"c1","status":"FILLED","origQty":"NaN",'
    '"executedQty":"NaN","side":"BUY","type":"MARKET"}',
    "filled-with-nothing": '{"symbol":"BTCUSDT","orderId":5,"clientOrderId":"c1","status":"FILLED",'
    '"origQty":"0.01","side":"BUY","type":"MARKET"}',
    "overfilled": '{"symbol":"BTCUSDT","orderId":5,"clientOrderId":"c1","status":"FILLED","origQty":"0.01",'
    '"executedQty":"0.02","side":"BUY","type":"MARKET"}',
    "no-side": '{"symbol":"BTCUSDT","orderId":5,"clientOrderId":"c1","status":"NEW","origQty":"0.01",'
    '"executedQty":"0","type":"MARKET"}',
}
WRONG_TIME: dict[str, Any] = {
    "code": -1021,
    "message": "Timestamp for this request is outside of the recvWindow.",
}
REFUSALS: dict[str, dict[str, Any]] = {
    "funds": {"code": -2010, "message": "Account has insufficient balance for requested action."},
    "filter": {"code": -1013, "message": "Filter failure: NOTIONAL"},
    "lot": {"code": -1013, "message": "Filter failure: LOT_SIZE"},
    "stop-would-trigger": {"code": -2010, "message": "Stop price would trigger immediately."},
    "closed": {"code": -1013, "message": "Market is closed."},
    "clock": {**WRONG_TIME, "count": 2},
    "signature": {"code": -1022},
    "key": {"code": -2015, "status": 401, "message": "Invalid API-key, IP, or permissions for action."},
    "precision": {"code": -1111},
}
MALFORMED: list[dict[str, Any]] = [{"body": each} for each in ('{"a": 1}', "{}", "null", "", '"x"', "<html>")]
CASES = {**OPEN_OUTCOMES, **{name: {"body": body} for name, body in BODIES.items()}, "cut": {"cut": True}}


@pytest.fixture
async def exchange() -> AsyncIterator[LocalExchange]:
    async with LocalExchange(holdings={"USDT": "1000000", "BTC": "10"}) as running:
        yield running


@pytest.fixture
async def account(exchange: LocalExchange, tmp_path: Path) -> AsyncIterator[CcxtAccount]:
    async with open_account(exchange, tmp_path) as opened:
        yield opened


def standing(answer: object) -> Standing:
    assert isinstance(answer, Stands), answer
    return answer.standing


def about(fault: dict[str, Any], client_id: str) -> dict[str, Any]:
    """The fault, with the client id of the order that it is about."""
    body = fault.get("body")
    return {**fault, "body": body.replace('"c1"', f'"{client_id}"')} if body else fault


@pytest.mark.parametrize("executed", [False, True], ids=["before", "after"])
async def test_send_with_an_open_outcome_is_unknown_and_then_asked(
    exchange: LocalExchange, account: CcxtAccount, executed: bool
) -> None:
    for name, fault in CASES.items():
        exchange.clear()
        exchange.fault(method="POST", executed=executed, **about(fault, name))
        told = await account.send(market(name))
        assert isinstance(told, Unknown), (name, told)
        exchange.clear()
        if executed or name == "cut":
            assert standing(await account.ask(BTC, name)).state is OrderState.FILLED
        else:
            assert isinstance(await account.ask(BTC, name), Absent), name
    assert exchange.truth().sent == dict.fromkeys(CASES, 1)


async def test_send_that_the_exchange_surely_did_not_do_is_refused(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    for name, fault in REFUSALS.items():
        exchange.fault(method="POST", **fault)
        told = await account.send(market(name))
        assert isinstance(told, Refused), (name, told)
    assert exchange.truth().orders == []


async def test_send_refused_for_its_time_alone_leaves_once_more(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.fault(method="POST", **WRONG_TIME)
    assert isinstance(await account.send(market("late")), Stands)
    assert [order.client_id for order in exchange.truth().orders] == ["late"]


async def test_ask_with_an_unclear_answer_is_unknown_never_absent(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    await account.send(limit("c1", "50000.00"))
    for name, fault in {**CASES, **REFUSALS}.items():
        exchange.fault(method="GET", path="/order", **fault)
        told = await account.ask(BTC, "c1")
        assert isinstance(told, Unknown), (name, told)
        exchange.clear()
    standing(await account.ask(BTC, "c1"))


@pytest.mark.parametrize("executed", [False, True], ids=["before", "after"])
async def test_cancel_with_an_unclear_answer_is_unknown_never_absent(
    exchange: LocalExchange, account: CcxtAccount, executed: bool
) -> None:
    for name, fault in {**CASES, **REFUSALS}.items():
        placed = standing(await account.send(stop(name, "55000", "53350")))
        exchange.fault(method="DELETE", executed=executed, **about(fault, name))
        told = await account.cancel(BTC, name, placed.exchange_id)
        assert isinstance(told, Unknown), (name, told)
        exchange.clear()
        done = executed or name == "cut"
        state = OrderState.CANCELLED if done else OrderState.OPEN
        assert standing(await account.ask(BTC, name)).state is state, name
        await account.cancel(BTC, name)


async def test_answers_that_do_not_come_in_time_are_unknown(exchange: LocalExchange, tmp_path: Path) -> None:
    async with open_account(exchange, tmp_path, timeout_ms=1_500) as account:
        await account.send(limit("c1", "50000.00"))
        await account.send(limit("c2", "50000.00"))
        exchange.fault(hold_ms=20_000, reset=True, executed=True, count=-1)
        told = await asyncio.gather(
            account.send(market("c3")),
            account.ask(BTC, "c1"),
            account.cancel(BTC, "c2"),
            account.executions(BTC, "1"),
            account.account((BTC,)),
        )
        assert [type(each) for each in told] == [Unknown] * 5
        exchange.clear()
        assert standing(await account.ask(BTC, "c3")).state is OrderState.FILLED
        assert standing(await account.ask(BTC, "c2")).state is OrderState.CANCELLED


async def test_absence_told_with_a_server_error_is_not_believed(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.fault(method="GET", path="/order", status=503, code=-2013, message="Order does not exist.")
    assert isinstance(await account.ask(BTC, "c1"), Unknown)


async def test_cancel_that_is_not_allowed_is_not_taken_for_absence(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    await account.send(limit("c1", "50000.00"))
    for message in ("This action is disabled on this account.", "Order was not canceled: restrictions."):
        exchange.fault(method="DELETE", code=-2011, message=message)
        assert isinstance(await account.cancel(BTC, "c1"), Unknown)


@pytest.mark.parametrize("error", ["BadSymbol", "InvalidOrder", "ArgumentsRequired", "InsufficientFunds"])
def test_error_that_ccxt_makes_of_a_good_answer_is_no_refusal(error: str) -> None:
    raised = getattr(ccxt_errors(), error)("the market id is ambiguous")
    assert not judge(raised, Reply(requests=1, status=200, accepted=True)).not_done
    assert not judge(raised, Reply(requests=2, status=400)).not_done
    assert judge(raised, Reply(requests=1, status=400)).not_done
    assert judge(raised, Reply()).not_done


async def test_order_that_lands_late_is_found_later(exchange: LocalExchange, account: CcxtAccount) -> None:
    exchange.fault(method="POST", late_ms=300, status=503)
    assert isinstance(await account.send(market("c1")), Unknown)
    assert isinstance(await account.ask(BTC, "c1"), Absent)
    async with asyncio.timeout(5):
        while not isinstance(await account.ask(BTC, "c1"), Stands):
            await asyncio.sleep(0.02)


async def test_key_revoked_after_it_worked_is_refused_and_works_again(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    standing(await account.send(market("c1")))
    exchange.set(revoked=True)
    told = await account.send(market("c2"))
    assert isinstance(told, Refused)
    assert "-2015" in told.why
    assert isinstance(await account.ask(BTC, "c1"), Unknown)
    exchange.set(revoked=False)
    standing(await account.send(market("c3")))


async def test_exchange_away_is_unknown_and_comes_back(exchange: LocalExchange, account: CcxtAccount) -> None:
    await exchange.stop()
    assert isinstance(await account.send(market("c1")), Unknown)
    assert isinstance(await account.ask(BTC, "c1"), Unknown)
    assert isinstance(await account.account((BTC, ETH)), Unknown)
    await exchange.start(exchange.port)
    assert isinstance(await account.ask(BTC, "c1"), Absent)
    standing(await account.send(market("c2")))


async def test_call_cancelled_halfway_leaves_a_working_account(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.fault(method="POST", executed=True, hold_ms=300)
    task = asyncio.create_task(account.send(market("c1")))
    async with asyncio.timeout(5):
        while not exchange.truth().orders:
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert standing(await account.ask(BTC, "c1")).state is OrderState.FILLED
    standing(await account.send(market("c2")))
    assert exchange.truth().sent == {"c1": 1, "c2": 1}


async def test_account_with_a_part_missing_is_unknown(exchange: LocalExchange, account: CcxtAccount) -> None:
    await account.send(market("c1"))
    parts = product(("/account", "/openOrders", "/myTrades"), ({"status": 503}, *MALFORMED, {"cut": True}))
    for path, fault in parts:
        exchange.fault(method="GET", path=path, **fault)
        assert isinstance(await account.account((BTC, ETH)), Unknown), (path, fault)
        exchange.clear()
        assert isinstance(await account.account((BTC, ETH)), Account)


async def test_executions_malformed_are_unknown(exchange: LocalExchange, account: CcxtAccount) -> None:
    placed = standing(await account.send(market("c1")))
    odd = {"body": f'[{{"id":1,"orderId":{placed.exchange_id},"price":"NaN","qty":"1","time":1}}]'}
    for fault in (*MALFORMED, {"body": "[7]"}, odd):
        exchange.fault(method="GET", path="/myTrades", **fault)
        assert isinstance(await account.executions(BTC, placed.exchange_id), Unknown), fault


async def test_executions_not_visible_yet_are_fewer(exchange: LocalExchange, account: CcxtAccount) -> None:
    exchange.set(trades_hidden_ms=200)
    placed = standing(await account.send(market("c1")))
    assert await account.executions(BTC, placed.exchange_id) == ()
    async with asyncio.timeout(5):
        while not await account.executions(BTC, placed.exchange_id):
            await asyncio.sleep(0.02)
