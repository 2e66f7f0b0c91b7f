"""Accounts at the local exchange, over the real ccxt."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.execution.ccxt_account import CcxtAccount
from tests.support.exchange import API_KEY, API_SECRET, LocalExchange
from trading.exchange_orders import Placement
from trading.orders import OrderKind
from trading.signals import Side

BTC, ETH = "BTC/USDT", "ETH/USDT"


@asynccontextmanager
async def open_account(
    exchange: LocalExchange, folder: Path, options: dict[str, Any] | None = None, timeout_ms: int = 2_000
) -> AsyncIterator[CcxtAccount]:
    """An account that trades BTC/USDT and ETH/USDT."""
    wanted = {**exchange.ccxt_options(), "timeout_on_exit": 0, **(options or {})}
    account = await CcxtAccount.open(
        "binanceus", wanted, API_KEY, API_SECRET, (BTC, ETH), folder, timeout_ms=timeout_ms
    )
    try:
        yield account
    finally:
        await account.close()


def market(client_id: str, amount: str = "0.01", side: Side = Side.BUY) -> Placement:
    """A market order."""
    return Placement(client_id, BTC, side, OrderKind.MARKET, Decimal(amount))


def limit(client_id: str, price: str, amount: str = "0.01", side: Side = Side.BUY) -> Placement:
    """A limit order."""
    return Placement(client_id, BTC, side, OrderKind.LIMIT, Decimal(amount), limit=Decimal(price))


def stop(client_id: str, trigger: str, limit_at: str | None, amount: str = "0.01") -> Placement:
    """A stop that sells."""
    price = None if limit_at is None else Decimal(limit_at)
    return Placement(client_id, BTC, Side.SELL, OrderKind.STOP, Decimal(amount), Decimal(trigger), price)
