"""A live feed on the local exchange, and what a test asks of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from actors.market_data.exchange.market import ExchangeMarket
from actors.market_data.exchange.spec import ExchangeFeed
from tests.support.exchange import LocalExchange
from trading.candles import Candle
from trading.exchange_orders import Quote

MINUTE = 60_000
BTC, ETH = "BTC/USDT", "ETH/USDT"
TICK = Decimal("0.01")
HISTORY = 30


def spec(exchange: LocalExchange, **changed: Any) -> ExchangeFeed:
    """A feed of both symbols, anchored `HISTORY` candles before the present one."""
    first_open_ms = exchange.clock.now_ms() // MINUTE * MINUTE
    values: dict[str, Any] = {
        "exchange_id": "binanceus",
        "options": exchange.ccxt_options(),
        "ticks": ((BTC, TICK), (ETH, TICK)),
        "timeframe_ms": MINUTE,
        "anchor_ms": first_open_ms - HISTORY * MINUTE,
        "first_open_ms": first_open_ms,
    }
    return ExchangeFeed(**values | changed)


class Follower:
    """Asks a feed as risk does: always for what follows the newest open time that it has."""

    def __init__(self, market: ExchangeMarket, after_ms: int) -> None:
        self.market = market
        self.after_ms = after_ms
        self.cursor = 0

    async def next(self, seconds: float = 20.0) -> dict[int, dict[str, Candle]]:
        """What follows, as soon as there is something."""
        async with asyncio.timeout(seconds):
            batch = await self.market.candles_after(self.after_ms, 1_000)
        times = [each.open_time_ms for each in batch.closed]
        assert times == list(range(times[0], times[-1] + MINUTE, MINUTE))
        assert times[0] == self.after_ms + MINUTE
        self.after_ms = times[-1]
        return {each.open_time_ms: {one.symbol: one for one in each.candles} for each in batch.closed}

    async def one(self, seconds: float = 20.0) -> dict[str, Candle]:
        """The candles of the only open time that follows."""
        (found,) = (await self.next(seconds)).values()
        return found

    async def quotes(self) -> tuple[Quote, ...]:
        """The quotes that changed since the last call."""
        self.cursor, quotes = await self.market.quotes(self.cursor)
        return quotes

    async def bid(self, symbol: str, seconds: float = 15.0) -> Decimal:
        """A symbol's next bid."""
        async with asyncio.timeout(seconds):
            while True:
                for quote in await self.quotes():
                    if quote.symbol == symbol:
                        return quote.bid

    async def facts(self, fit: Callable[[dict[str, Any]], object], seconds: float = 20.0) -> dict[str, Any]:
        """What `health` says, as soon as it fits."""
        async with asyncio.timeout(seconds):
            while not fit(facts := (await self.market.health()).facts):
                await asyncio.sleep(0.05)
        return facts


@asynccontextmanager
async def following(exchange: LocalExchange, **changed: Any) -> AsyncIterator[Follower]:
    """A feed on an exchange, with its history read and its sockets connected where there are any."""
    feed = spec(exchange, **changed)
    market = ExchangeMarket(feed, seed=1)
    follower = Follower(market, feed.anchor_ms - MINUTE)
    try:
        yield follower
    finally:
        await market.close()


def connected(facts: dict[str, Any]) -> bool:
    """Whether all sockets have told something."""
    return all(facts["sockets"].values()) and bool(facts["sockets"])
