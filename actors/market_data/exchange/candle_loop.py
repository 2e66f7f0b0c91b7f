"""Follows the candles of all symbols: hears the sockets, asks for the rest, gives out what closed."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from actors.exchange_client import ccxt_errors
from actors.market_data.exchange.asking import ServerClock, Unanswered
from actors.market_data.exchange.rows import CandleRows, Page
from actors.market_data.exchange.signal import Signal
from trading.events import CandlesClosed
from trading.live_candles import FUTURE_MS, LiveCandles

# How often a symbol is asked for while its next candle should be there, and for how many symbols together.
_POLL_SECONDS, _POLL_SECONDS_A_SYMBOL = 1.0, 0.2
# So long after a close an exchange is asked whose socket says nothing; without a socket, this much before: a
# clock may be off.
_SOCKET_MS, _NO_SOCKET_MS = 1_500, -45_000
_SOCKET_ALIVE_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
_LOOK_SECONDS = 0.25
_DOUBT_SECONDS = 0.25
_MOST_HEARD = 1_000
_EXTRA_ROWS = 5


class CandleLoop:
    """`give` gets each open time that closed, in order; `at` is a clock that runs evenly, in seconds."""

    def __init__(
        self,
        candles: LiveCandles,
        symbols: list[str],
        timeframe_ms: int,
        rows: CandleRows,
        clock: ServerClock,
        at: Callable[[], float],
        give: Callable[[list[CandlesClosed]], None],
    ) -> None:
        self.candles = candles
        self._symbols = symbols
        self._timeframe_ms = timeframe_ms
        self._rows = rows
        self._clock = clock
        self._at = at
        self._give = give
        self._heard: deque[tuple[str, list[Any], bool]] = deque(maxlen=_MOST_HEARD)
        self._heard_at = dict.fromkeys(symbols, float("-inf"))
        self._news = Signal()
        self._asks: dict[str, asyncio.Task[None]] = {}
        self._ask_at = dict.fromkeys(symbols, float("-inf"))
        self._poll_at = dict.fromkeys(symbols, float("-inf"))
        self._fruitless = dict.fromkeys(symbols, 0)

    def candle_rows(self, symbol: str, rows: list[Any], final: bool) -> None:
        """A socket told these rows of a symbol."""
        if symbol in self._heard_at:
            self._heard_at[symbol] = self._at()
            self._heard.append((symbol, rows, final))
            self._news.tell()

    async def run(self) -> None:
        """Go on for ever."""
        try:
            while True:
                heard = self._news.number
                await self._take_heard()
                closed = self.candles.closed(self._at_ms())
                if closed:
                    self._give(closed)
                self._start_asking()
                await self._news.wait(heard, _LOOK_SECONDS)
        finally:
            for task in self._asks.values():
                task.cancel()

    async def _take_heard(self) -> None:
        heard, self._heard = self._heard, deque(maxlen=_MOST_HEARD)
        await self._doubt_the_clock(row for _, rows, _ in heard for row in rows)
        at_ms, now_ms = self._at_ms(), self._clock.now_ms()
        for symbol, rows, final in heard:
            self.candles.told(symbol, rows, at_ms, now_ms, final)

    async def _doubt_the_clock(self, rows: Iterable[Any]) -> None:
        """Ask for the time when a candle seems to be from the future: a clock may run faster than ours."""
        latest_ms = self._clock.now_ms() + FUTURE_MS
        ahead = any(isinstance(row[0], int) and row[0] > latest_ms for row in rows if row)
        if ahead and self._at() - self._clock.asked_at >= _DOUBT_SECONDS:
            with suppress(Unanswered):
                await self._clock.refresh()

    def _start_asking(self) -> None:
        """Ask for every symbol that needs it and is not asked for already."""
        at = self._at()
        wanted = self.candles.wanted(self._at_ms())
        for symbol, newest_ms in self.candles.newest_ms.items():
            if symbol in self._asks:
                continue
            if symbol in wanted and at >= self._ask_at[symbol]:
                self._ask(symbol, wanted[symbol])
            elif symbol not in wanted and at >= self._poll_at[symbol] and self._is_due(symbol, newest_ms):
                self._poll_at[symbol] = at + max(_POLL_SECONDS, _POLL_SECONDS_A_SYMBOL * len(self._symbols))
                self._ask(symbol, self.candles.next_ms if newest_ms < 0 else newest_ms)

    def _is_due(self, symbol: str, newest_ms: int) -> bool:
        """Whether a newer candle of a symbol should be there by now."""
        alive = self._at() - self._heard_at[symbol] < _SOCKET_ALIVE_SECONDS
        due_ms = newest_ms + self._timeframe_ms + (_SOCKET_MS if alive else _NO_SOCKET_MS)
        return newest_ms < 0 or self._clock.now_ms() >= due_ms

    def _ask(self, symbol: str, since_ms: int) -> None:
        task = asyncio.ensure_future(self._answer(symbol, since_ms))
        self._asks[symbol] = task
        task.add_done_callback(lambda _: self._asked(symbol))

    def _asked(self, symbol: str) -> None:
        del self._asks[symbol]
        self._news.tell()

    async def _answer(self, symbol: str, since_ms: int) -> None:
        """Ask once, and take in what was answered; after an answer without use, the next question waits."""
        asked_at_ms = self._at_ms()
        behind = max(0, self._clock.now_ms() - since_ms) // self._timeframe_ms
        try:
            page = await self._page(symbol, since_ms, behind + _EXTRA_ROWS)
        except Unanswered:
            self._ask_at[symbol] = self._at() + _AGAIN_SECONDS
            return
        await self._doubt_the_clock(page.rows)
        before = self.candles.wanted(self._at_ms()).get(symbol)
        told = (page.rows, page.since_ms, page.until_ms)
        self.candles.answered(symbol, *told, asked_at_ms, self._at_ms(), self._clock.now_ms())
        after = self.candles.wanted(self._at_ms()).get(symbol)
        self._fruitless[symbol] = 0 if after != before else min(self._fruitless[symbol] + 1, 4)
        pause = _AGAIN_SECONDS * 2.0 ** self._fruitless[symbol] if after == before else 0.0
        self._ask_at[symbol] = self._at() + pause

    async def _page(self, symbol: str, since_ms: int, candles: int) -> Page:
        """A page of a symbol; an empty one where the exchange does not know the symbol any more."""
        try:
            return await self._rows.page(symbol, since_ms, candles)
        except ccxt_errors().BadSymbol:
            return Page([], since_ms, since_ms + candles * self._timeframe_ms)

    def _at_ms(self) -> int:
        return int(1000 * self._at())
