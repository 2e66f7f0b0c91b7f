"""What a test lets an engine see: prices as the exchange tells them, candles and votes as the test says."""

import asyncio
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from actors.ports import Answer, CandleBatch
from trading.candles import Candle
from trading.events import CandlesClosed
from trading.exchange_orders import Quote
from trading.rules import Rules
from trading.signals import Side, buy, hold, sell

SAID = {Side.BUY: buy(100), Side.SELL: sell(100), Side.HOLD: hold(100)}
STRATEGY = "cross"
POLL_SECONDS = 0.25


class Script:
    """The feed and the strategy of one engine.

    Prices are asked of the exchange at `url`, whose clock is asked once. A candle closes when `close` is
    called: at the newest price, and with what the strategy says of it.
    """

    def __init__(self, url: str, rules: Rules) -> None:
        self._url, self._rules = url, rules
        self._closed: list[CandlesClosed] = []
        self._answers: list[Answer] = []
        self._new = asyncio.Event()
        self._quotes: dict[str, Quote] = {}
        self._ahead_ms: int | None = None
        self._cursor = 0
        self._priced = asyncio.Event()
        self.closed_at = 0.0

    async def follow_prices(self) -> None:
        """Ask the exchange for its prices, for good; what goes wrong is asked again."""
        import aiohttp

        markets = {market.symbol.replace("/", ""): market.symbol for market in self._rules.markets}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session:
            while True:
                try:
                    if self._ahead_ms is None:
                        told = await _get(session, f"{self._url}/time")
                        self._ahead_ms = told["serverTime"] - _wall_ms()
                    rows = await _get(session, f"{self._url}/ticker/bookTicker")
                    self._take(rows, markets, _wall_ms() + self._ahead_ms)
                except (aiohttp.ClientError, TimeoutError, OSError, KeyError, TypeError, ValueError):
                    pass
                await asyncio.sleep(POLL_SECONDS)

    def _take(self, rows: Iterable[dict[str, str]], markets: dict[str, str], time_ms: int) -> None:
        for row in rows:
            symbol = markets.get(row["symbol"])
            if symbol is not None:
                bid, ask = Decimal(row["bidPrice"]), Decimal(row["askPrice"])
                self._quotes[symbol] = Quote(symbol, bid, ask, time_ms)
        self._cursor += 1
        self._priced.set()
        self._priced = asyncio.Event()

    async def close(self, said: Side, after_ms: int) -> int:
        """Close the newest candle by the exchange's clock, or the one after this; its open time."""
        while not self._quotes:
            await self._priced.wait()
        step_ms = self._rules.timeframe_ms
        newest_ms = max(quote.time_ms for quote in self._quotes.values()) // step_ms * step_ms - step_ms
        open_ms = max(newest_ms, after_ms + step_ms)
        candles = []
        for market in self._rules.markets:
            ticks = int(self._quotes[market.symbol].bid / market.tick)
            candles.append(Candle(market.symbol, ticks, ticks, ticks, ticks, 1.0))
        signals = tuple(
            replace(SAID[said], strategy=STRATEGY, symbol=market.symbol, open_time_ms=open_ms)
            for market in self._rules.markets
        )
        self._closed.append(CandlesClosed(open_ms, tuple(candles)))
        self._answers.append(Answer(open_ms, signals))
        self.closed_at = time.monotonic()
        self._new.set()
        self._new = asyncio.Event()
        return open_ms

    # The ports.

    async def candles_after(self, open_time_ms: int, limit: int) -> CandleBatch:
        """Closed candles; waits until there is one."""
        return CandleBatch(tuple(await self._after(self._closed, open_time_ms, limit)))

    async def answers_after(self, open_time_ms: int, limit: int) -> tuple[Answer, ...]:
        """What the strategy says; waits until there is a candle."""
        return tuple(await self._after(self._answers, open_time_ms, limit))

    async def quotes(self, after: int) -> tuple[int, tuple[Quote, ...]]:
        """The newest prices; waits up to a second for newer ones."""
        if self._cursor <= after:
            try:
                await asyncio.wait_for(self._priced.wait(), 1)
            except TimeoutError:
                return self._cursor, ()
        return self._cursor, tuple(self._quotes.values())

    async def _after(self, items: list[Any], open_time_ms: int, limit: int) -> list[Any]:
        while True:
            found = [each for each in items if each.open_time_ms > open_time_ms]
            if found:
                return found[:limit]
            await self._new.wait()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def _get(session: Any, url: str) -> Any:
    async with session.get(url) as answer:
        return await answer.json()
