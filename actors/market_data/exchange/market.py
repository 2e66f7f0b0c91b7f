"""The market data actor on a live exchange."""

import asyncio
import os
import random
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from actors.exchange_client import load_markets, make_client, set_markets
from actors.market_data.exchange.asking import Asking, ServerClock, Unanswered, short
from actors.market_data.exchange.candle_loop import CandleLoop
from actors.market_data.exchange.past import PastCandles
from actors.market_data.exchange.quote_loop import QuoteLoop
from actors.market_data.exchange.quotes import STALE_SECONDS, QuoteBook
from actors.market_data.exchange.rows import CandleRows
from actors.market_data.exchange.signal import Signal
from actors.market_data.exchange.sockets import Watch, candle_watches, quote_watches
from actors.market_data.exchange.spec import ExchangeFeed
from actors.market_data.exchange.stored import StoredCandles
from actors.market_data.exchange.warmup import markets_file
from actors.ports import ActorLost, CandleBatch, Health, StorePort
from trading.errors import InputError, OperationError
from trading.events import CandlesClosed
from trading.exchange_orders import Quote
from trading.live_candles import LiveCandles

# So many open times stay in memory; older ones are fetched again.
HELD = 5_000
QUOTES_WAIT_SECONDS = 1.0
_CLOCK_SECONDS, _CLOCK_DEAF_SECONDS = 30.0, 2.0
_AGAIN_SECONDS = 1.0
_NOTES_A_SECOND = 5
_CLOSE_SECONDS = 3.0


class ExchangeMarket:
    """Closed candles and best prices of a live exchange.

    Whoever asks for what follows an open time was there already, so a restart goes on from the newest
    question; what was given out stays, because the run stores it. All that goes on by itself begins with the
    first question. Faults of the network are borne for ever and told in `health`; what the user must mend is
    raised by every question.
    """

    def __init__(
        self,
        feed: ExchangeFeed,
        store: StorePort | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        seed: int | None = None,
    ) -> None:
        self._feed = feed
        self._store = store
        self._at = monotonic
        self._wall_ms = wall_ms
        self._random = random.Random(seed)
        self._task: asyncio.Task[None] | None = None
        self._failure: InputError | None = None
        self._asking: Asking | None = None
        self._clock: ServerClock | None = None
        self._past: PastCandles | None = None
        self._candles: LiveCandles | None = None
        self._held: list[CandlesClosed] = []
        self._held_from_ms = 0
        self._ready, self._given, self._quoted = Signal(), Signal(), Signal()
        self._book = QuoteBook(feed.symbols, wall_ms())
        self._watches: list[Watch] = []
        self._last_error = ""

    # What it is asked.

    async def candles_after(self, open_time_ms: int, limit: int) -> CandleBatch:
        """At most `limit` open times after this one; waits until there is one."""
        await self._started()
        while True:
            heard = self._given.number
            first_ms = open_time_ms + self._feed.timeframe_ms
            if first_ms >= self._held_from_ms:
                found = self._after(open_time_ms, limit)
                if found:
                    return CandleBatch(tuple(found))
                await self._given.wait(heard)
                continue
            end_ms = min(
                max(first_ms, self._feed.anchor_ms) + limit * self._feed.timeframe_ms, self._held_from_ms
            )
            found = await self._closed(first_ms, end_ms)
            if found:
                return CandleBatch(tuple(found))
            open_time_ms = end_ms - self._feed.timeframe_ms

    async def quotes(self, after: int) -> tuple[int, tuple[Quote, ...]]:
        """The newest quotes that changed after this cursor, and the next cursor; waits up to a second."""
        await self._started(QUOTES_WAIT_SECONDS)
        until = self._at() + QUOTES_WAIT_SECONDS
        while True:
            heard = self._quoted.number
            found = self._book.after(after, self._at())
            if found or self._at() >= until:
                return self._book.cursor, found
            await self._quoted.wait(heard, until - self._at())

    async def health(self) -> Health:
        """How the sockets are, how old what was heard is, what was dropped, and how much was asked."""
        self._begin()
        at = self._at()
        heard = [watch.last_at for watch in self._watches if watch.last_at is not None]
        facts: dict[str, Any] = {
            "failure": str(self._failure or ""),
            "exchange": self._feed.exchange_id,
            "sockets": {watch.name: watch.connected for watch in self._watches},
            "seconds_since_message": round(at - max(heard), 1) if heard else None,
            "reconnects": sum(max(0, watch.starts - 1) for watch in self._watches),
            "stale_symbols": self._book.older_than(STALE_SECONDS, at),
            "dropped_quotes": self._book.dropped,
            "last_error": self._last_words(),
        }
        if self._candles is not None:
            counts = self._candles.counts
            facts["dropped_candles"] = counts.bad + counts.future
            facts["repeated_candles"], facts["revised_candles"] = counts.repeated, counts.revised
        if self._asking is not None and self._clock is not None:
            facts["weight_used"] = self._asking.weight_used
            facts["silent_seconds"] = round(self._asking.silent_seconds, 1)
            facts["clock_ahead_ms"] = self._clock.ahead_ms()
        return Health("market_data", os.getpid(), facts=facts)

    async def close(self) -> None:
        """End all that goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def exchange_now_ms(self) -> int:
        """The exchange's time in ms UTC, our own until it is known."""
        return self._clock.now_ms() if self._clock is not None else self._wall_ms()

    # How it begins.

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _started(self, seconds: float | None = None) -> None:
        """Wait until it serves, or for so long. Raises what the user must mend."""
        self._begin()
        if self._candles is None and self._failure is None:
            await self._ready.wait(0, seconds)
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        """Serve; start again after a fault that may pass."""
        while self._failure is None:
            try:
                await self._serve_by_a_client()
            except InputError as error:
                self._failure = error
                self._ready.tell()
                await self._log("alarm", "feed_failed", str(error))
            except Exception as error:
                await self._unforeseen(error)

    async def _serve_by_a_client(self) -> None:
        client = make_client(self._feed.exchange_id, self._feed.options)
        try:
            await self._serve(client)
        finally:
            with suppress(Exception):
                await asyncio.wait_for(client.close(), _CLOSE_SECONDS)

    async def _serve(self, client: Any) -> None:
        """Begin with what is stored, then follow the exchange for ever. Raises what the user must mend."""
        feed = self._feed
        asking = self._asking = Asking(client, self._at, self._wall_ms, self._random)
        cache = markets_file(feed.folder, feed.exchange_id)
        await asking.ask_patiently(lambda: load_markets(client, feed.symbols, cache))
        clock = self._clock = ServerClock(asking, self._at, self._wall_ms)
        await self._know_the_time(clock)
        rows = CandleRows(asking, feed.timeframe_ms)
        stored = (
            StoredCandles(feed.database_url, feed.run_id, dict(feed.ticks)) if feed.database_url else None
        )
        self._past = PastCandles(feed, rows, stored)
        candles = await self._first_candles(stored)
        self._held, self._held_from_ms = [], candles.next_ms
        loop = CandleLoop(candles, feed.symbols, feed.timeframe_ms, rows, clock, self._at, self._give)
        quotes = QuoteLoop(self._book, asking, clock, self._at, self._quoted)
        self._watches = self._make_watches(client, rows.timeframe, loop, quotes)
        self._candles = candles
        self._ready.tell()
        runs = [
            self._follow_clock,
            loop.run,
            quotes.run,
            self._log_notes,
            *(each.run for each in self._watches),
        ]
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(self._for_ever(run))

    async def _know_the_time(self, clock: ServerClock) -> None:
        """Everything is dated by the exchange's clock: nothing is told before it is known."""
        while True:
            try:
                return await clock.refresh()
            except Unanswered:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _first_candles(self, stored: StoredCandles | None) -> LiveCandles:
        """Goes on after the newest open time that the run stored, else from the anchor."""
        feed = self._feed
        ticks = dict(feed.ticks)
        last = await asyncio.to_thread(stored.last) if stored is not None else None
        if last is None:
            return LiveCandles(ticks, feed.timeframe_ms, feed.anchor_ms - feed.timeframe_ms)
        closes = {candle.symbol: candle.close for candle in last.candles}
        return LiveCandles(ticks, feed.timeframe_ms, last.open_time_ms, closes)

    def _make_watches(self, client: Any, timeframe: str, loop: CandleLoop, quotes: QuoteLoop) -> list[Watch]:
        """A watch for each stream that the exchange has, each with a client of its own."""
        feed, markets = self._feed, client.markets

        def open_client() -> Any:
            socket = make_client(feed.exchange_id, feed.options)
            set_markets(socket, markets)
            return socket

        def watching(name: str, take_next: Callable[[Any], Awaitable[None]]) -> Watch:
            return Watch(name, open_client, take_next, self._at, self._random)

        return [
            *candle_watches(client.has, feed.symbols, timeframe, loop.candle_rows, watching),
            *quote_watches(client.has, feed.symbols, quotes.best_prices, watching),
        ]

    # What goes on.

    async def _for_ever(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a loop; what it did not foresee is told, and it runs again."""
        task = asyncio.current_task()
        assert task is not None
        while True:
            try:
                await run()
            except asyncio.CancelledError:
                # ccxt cancels its own waiting: that is no order to stop.
                if task.cancelling():
                    raise
            except Exception as error:
                await self._unforeseen(error)

    async def _unforeseen(self, error: Exception) -> None:
        self._last_error = f"{type(error).__name__}: {short(error)}"
        await self._log("alarm", "unexpected", self._last_error)
        await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow_clock(self) -> None:
        """Ask for the time now and then, and often while no socket shows how it passes."""
        assert self._clock is not None
        while True:
            heard = max((watch.last_at or 0.0 for watch in self._watches), default=0.0)
            deaf = self._at() - heard >= _CLOCK_DEAF_SECONDS
            if deaf or self._at() - self._clock.asked_at >= _CLOCK_SECONDS:
                with suppress(Unanswered):
                    await self._clock.refresh()
            await asyncio.sleep(_CLOCK_DEAF_SECONDS)

    async def _log_notes(self) -> None:
        """Write to the system log what was dropped, a few lines a second at most."""
        assert self._candles is not None
        while True:
            notes = self._candles.take_notes()
            for note in notes[:_NOTES_A_SECOND]:
                await self._log("warning", "candle_dropped", note)
            if len(notes) > _NOTES_A_SECOND:
                await self._log("warning", "candle_dropped", f"and {len(notes) - _NOTES_A_SECOND} more")
            await asyncio.sleep(1.0)

    def _give(self, closed: list[CandlesClosed]) -> None:
        self._held += closed
        surplus = len(self._held) - HELD
        if surplus > 0:
            self._held_from_ms = self._held[surplus].open_time_ms
            del self._held[:surplus]
        self._given.tell()

    def _after(self, open_time_ms: int, limit: int) -> list[CandlesClosed]:
        start = bisect_right(self._held, open_time_ms, key=lambda each: each.open_time_ms)
        return self._held[start : start + limit]

    async def _closed(self, first_ms: int, end_ms: int) -> list[CandlesClosed]:
        """Open times that are not in memory, however long it takes to get them."""
        assert self._past is not None
        while True:
            try:
                return await self._past.closed(first_ms, end_ms)
            except OperationError as error:
                self._last_error = str(error)
                await asyncio.sleep(_AGAIN_SECONDS)

    def _last_words(self) -> str:
        """The newest thing that went wrong."""
        said = [watch.last_error for watch in self._watches if watch.last_error and not watch.connected]
        asked = self._asking.last_error if self._asking is not None else ""
        return self._last_error or asked or "; ".join(said)

    async def _log(self, level: str, code: str, text: str) -> None:
        if self._store is not None:
            with suppress(ActorLost, OperationError):
                await self._store.log(level, "market_data", code, text)
