"""Follows the best prices of all symbols: hears the sockets, and asks where they are silent."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from actors.exchange_client import ccxt_errors
from actors.market_data.exchange.asking import Asking, ServerClock, Unanswered
from actors.market_data.exchange.quotes import QuoteBook
from actors.market_data.exchange.signal import Signal

# A symbol that no socket told of for so long is asked for,
_QUIET_SECONDS = 3.0
# this often.
_POLL_SECONDS = 1.5


class QuoteLoop:
    """Puts what it hears into a book and tells `news`; `at` is a clock that runs evenly, in seconds."""

    def __init__(
        self, book: QuoteBook, asking: Asking, clock: ServerClock, at: Callable[[], float], news: Signal
    ) -> None:
        self._book = book
        self._asking = asking
        self._clock = clock
        self._at = at
        self._news = news

    def best_prices(self, symbol: str, ticker: Mapping[str, Any]) -> None:
        """A socket told a symbol's best prices."""
        self._book.put(symbol, ticker, self._clock.now_ms(), self._at())
        self._news.tell()

    async def run(self) -> None:
        """Ask for ever, for what is not heard."""
        while True:
            quiet = self._book.older_than(_QUIET_SECONDS, self._at())
            if quiet:
                with suppress(Unanswered, ccxt_errors().BadSymbol):
                    await self._poll(quiet)
            await asyncio.sleep(_POLL_SECONDS)

    async def _poll(self, symbols: list[str]) -> None:
        client = self._asking.client
        if client.has.get("fetchBidsAsks"):
            told = await self._asking.ask(lambda: client.fetch_bids_asks(symbols))
        elif client.has.get("fetchTickers"):
            told = await self._asking.ask(lambda: client.fetch_tickers(symbols))
        else:
            told = {symbol: await self._ticker(symbol) for symbol in symbols}
        for symbol in symbols:
            ticker = told.get(symbol) if isinstance(told, Mapping) else None
            if isinstance(ticker, Mapping):
                self._book.put(symbol, ticker, self._clock.now_ms(), self._at(), polled=True)
        self._news.tell()

    async def _ticker(self, symbol: str) -> Any:
        return await self._asking.ask(lambda: self._asking.client.fetch_ticker(symbol))
