"""Websockets of an exchange, each with a watchdog: one that is silent is opened anew."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from actors.market_data.exchange.asking import short

SILENT_SECONDS = 8.0
_CLOSE_SECONDS = 3.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 20.0
_ROWS_READ = 3


# Told a symbol, rows of its candles, and whether they are final.
TellRows = Callable[[str, list[Any], bool], None]
# Told a symbol and its best prices, as ccxt has them.
TellPrices = Callable[[str, Mapping[str, Any]], None]


class Watch:
    """One stream: opens a client, takes its messages, and starts again with a new client when it is silent,
    closed or fails; the pause before grows with each failure, cut by chance.

    `open_client` makes a client, `take_next` waits for its next message and hands it on.
    """

    def __init__(
        self,
        name: str,
        open_client: Callable[[], Any],
        take_next: Callable[[Any], Awaitable[None]],
        monotonic: Callable[[], float],
        random: Random,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self.name = name
        self.connected = False
        self.last_at: float | None = None
        self.starts = 0
        self.last_error = ""
        self._open_client = open_client
        self._take_next = take_next
        self._monotonic = monotonic
        self._random = random
        self._silent_seconds = silent_seconds

    async def run(self) -> None:
        """Listen for ever."""
        failures = 0
        while True:
            heard_before = self.last_at
            await self._listen()
            failures = 0 if self.last_at != heard_before else failures + 1
            pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 10), _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.0))

    async def _listen(self) -> None:
        """Take messages until the stream fails."""
        self.starts += 1
        client = self._open_client()
        try:
            while True:
                async with asyncio.timeout(self._silent_seconds):
                    await self._take_next(client)
                self.connected, self.last_at = True, self._monotonic()
        except Exception as error:
            silent = isinstance(error, TimeoutError)
            self.last_error = f"silent for {self._silent_seconds:g} s" if silent else short(error)
        finally:
            self.connected = False
            with suppress(Exception):
                await asyncio.wait_for(client.close(), _CLOSE_SECONDS)


Watching = Callable[[str, Callable[[Any], Awaitable[None]]], Watch]


def candle_watches(
    has: Mapping[str, Any], symbols: list[str], timeframe: str, tell: TellRows, watching: Watching
) -> list[Watch]:
    """What is needed to hear of all symbols' candles; nothing where there is no stream of them."""
    if has.get("watchOHLCVForSymbols"):

        async def take_any(client: Any) -> None:
            _tell_finals(client, timeframe, tell)
            told = await client.watch_ohlcv_for_symbols([[symbol, timeframe] for symbol in symbols])
            _tell_rows(client, symbols, timeframe, set(told), tell)

        return [watching("candles", take_any)]
    if has.get("watchOHLCV"):
        return [watching(f"candles {symbol}", _candles_of(symbol, timeframe, tell)) for symbol in symbols]
    return []


def _candles_of(symbol: str, timeframe: str, tell: TellRows) -> Callable[[Any], Awaitable[None]]:
    async def take(client: Any) -> None:
        await client.watch_ohlcv(symbol, timeframe)
        _tell_rows(client, [symbol], timeframe, {symbol}, tell)

    return take


def _tell_rows(client: Any, symbols: list[str], timeframe: str, woken: set[str], tell: TellRows) -> None:
    """Hand on the newest rows of who was told of, and of who was told of unseen: ccxt wakes us for one symbol
    and keeps the others' rows."""
    seen = client.options.setdefault("lastRowsTold", {})
    for symbol in symbols:
        rows = [list(row) for row in list(client.ohlcvs.get(symbol, {}).get(timeframe, []))[-_ROWS_READ:]]
        if rows and (symbol in woken or seen.get(symbol) != rows[-1]):
            seen[symbol] = rows[-1]
            tell(symbol, rows, False)


def _tell_finals(client: Any, timeframe: str, tell: TellRows) -> None:
    """Hear which candles Binance's stream calls closed (`x`): ccxt does not pass that on."""
    if "finalsTold" in client.options or not hasattr(client, "handle_ohlcv"):
        return
    client.options["finalsTold"] = True
    handle = client.handle_ohlcv

    def handle_ohlcv(socket: Any, message: Any) -> None:
        kline = message.get("k") if isinstance(message, dict) else None
        if isinstance(kline, dict) and kline.get("x") is True:
            symbol = client.safe_symbol(kline.get("s"), None, None, "spot")
            tell(symbol, [[kline.get(name) for name in "tohlcv"]], True)
        handle(socket, message)

    client.handle_ohlcv = handle_ohlcv


def quote_watches(
    has: Mapping[str, Any], symbols: list[str], tell: TellPrices, watching: Watching
) -> list[Watch]:
    """What is needed to hear of all symbols' best prices; nothing where there is no stream of them."""
    for method, kept in (("watchBidsAsks", "bidsasks"), ("watchTickers", "tickers")):
        if has.get(method):
            return [watching("quotes", _quotes_by(_snake(method), kept, symbols, tell))]
    if has.get("watchTicker"):
        return [
            watching(f"quotes {symbol}", _quotes_by("watch_ticker", "tickers", symbol, tell))
            for symbol in symbols
        ]
    return []


def _quotes_by(
    method: str, kept: str, asked: list[str] | str, tell: TellPrices
) -> Callable[[Any], Awaitable[None]]:
    """Takes what one call tells; what was told meanwhile of other symbols, ccxt keeps."""

    async def take(client: Any) -> None:
        seen = client.options.setdefault("lastTickersTold", {})
        told = await getattr(client, method)(asked)
        woken = {told["symbol"]} if "symbol" in told else set(told)
        for symbol, ticker in list(getattr(client, kept).items()):
            if symbol in woken or seen.get(symbol) is not ticker:
                seen[symbol] = ticker
                tell(symbol, ticker)

    return take


def _snake(method: str) -> str:
    return {"watchBidsAsks": "watch_bids_asks", "watchTickers": "watch_tickers"}[method]
