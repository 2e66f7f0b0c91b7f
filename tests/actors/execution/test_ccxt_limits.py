"""The exchange's limits: Retry-After is obeyed, a ban is silent, and polls leave room for orders."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.execution.ccxt_account import CcxtAccount
from tests.support.accounts import BTC, ETH, limit, market, open_account
from tests.support.exchange import LocalExchange
from trading.exchange_orders import Account, Refused, Stands, Unknown


@pytest.fixture
async def exchange() -> AsyncIterator[LocalExchange]:
    async with LocalExchange(holdings={"USDT": "10000"}) as running:
        yield running


@pytest.fixture
async def account(exchange: LocalExchange, tmp_path: Path) -> AsyncIterator[CcxtAccount]:
    async with open_account(exchange, tmp_path, {"rateLimit": 50}) as opened:
        yield opened


async def everything(account: CcxtAccount) -> list[Any]:
    """The answers to one request of each kind; the send is the first."""
    return [
        await account.send(market("c2")),
        await account.ask(BTC, "c1"),
        await account.cancel(BTC, "c1"),
        await account.executions(BTC, "1"),
        await account.account((BTC, ETH)),
        await account.quotes((BTC,)),
    ]


async def test_too_many_requests_waits_as_long_as_it_is_told(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.fault(method="POST", status=429, code=-1003, headers={"Retry-After": "1"})
    refused = await account.send(market("c1"))
    assert isinstance(refused, Refused)
    before = len(exchange.truth().requests)
    first, *others = await everything(account)
    assert isinstance(first, Refused)
    assert all(isinstance(each, Unknown) and 0 < each.wait_ms <= 1_000 for each in others), others
    assert len(exchange.truth().requests) == before
    await asyncio.sleep(others[0].wait_ms / 1000)
    assert isinstance(await account.send(market("c3")), Stands)


async def test_banned_account_is_silent_until_the_end(exchange: LocalExchange, account: CcxtAccount) -> None:
    exchange.ban(600)
    told = await account.ask(BTC, "c1")
    assert isinstance(told, Unknown)
    assert 590_000 < told.wait_ms <= 610_000
    before = len(exchange.truth().requests)
    await everything(account)
    await account.refresh_filters()
    await account.rights()
    assert len(exchange.truth().requests) == before


async def test_ban_without_retry_after_ends_when_its_text_says(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    until = exchange.clock.now_ms() + 300_000
    exchange.fault(method="GET", path="/order", status=418, code=-1003, message=f"IP banned until {until}.")
    told = await account.ask(BTC, "c1")
    assert isinstance(told, Unknown)
    assert 290_000 < told.wait_ms <= 301_000


async def test_requests_queued_when_a_ban_comes_are_not_sent(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.fault(method="GET", path="/account", status=418, code=-1003, headers={"Retry-After": "60"})
    asks = [account.account((BTC,)), *(account.account((BTC,)) for _ in range(20))]
    before = len(exchange.truth().requests)
    told = await asyncio.gather(*asks)
    assert all(isinstance(each, Unknown) for each in told)
    assert len(exchange.truth().requests) - before <= 5


async def test_too_many_orders_holds_back_orders_alone(exchange: LocalExchange, account: CcxtAccount) -> None:
    assert isinstance(await account.send(limit("c1", "50000.00")), Stands)
    exchange.fault(method="POST", status=429, code=-1015, headers={"Retry-After": "60"})
    assert isinstance(await account.send(market("c2")), Refused)
    assert isinstance(await account.send(market("c3")), Refused)
    assert isinstance(await account.ask(BTC, "c1"), Stands)
    assert isinstance(await account.cancel(BTC, "c1"), Stands)
    assert exchange.truth().sent == {"c1": 1, "c2": 1}


async def test_little_weight_left_is_for_orders_and_cancels(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.use_weight(1_000)
    assert isinstance(await account.send(limit("c1", "50000.00")), Stands)
    told = await account.account((BTC, ETH))
    assert isinstance(told, Unknown)
    assert 0 < told.wait_ms <= 60_000
    assert isinstance(await account.send(market("c2")), Stands)
    assert isinstance(await account.cancel(BTC, "c1"), Stands)
    exchange.clear()
    await account.send(market("c3"))
    assert isinstance(await account.account((BTC, ETH)), Account)


async def test_order_after_a_heavy_poll_does_not_wait_in_the_queue_of_ccxt(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    for _ in range(5):
        assert isinstance(await account.account((BTC, ETH)), Account)
    before = asyncio.get_running_loop().time()
    assert isinstance(await account.send(market("c1")), Stands)
    assert asyncio.get_running_loop().time() - before < 1.0
