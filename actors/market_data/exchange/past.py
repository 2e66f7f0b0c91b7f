"""Open times that are not in memory: the run's own where it stored them, else the exchange's history."""

import asyncio
from collections import OrderedDict

from actors.market_data.exchange.rows import CandleRows
from actors.market_data.exchange.spec import ExchangeFeed
from actors.market_data.exchange.stored import StoredCandles
from trading.events import CandlesClosed
from trading.live_candles import LiveCandles

# History is asked for from so many candles before, so that a hole at its begin is filled from the last close.
_LEAD_IN = 50
_ANSWERS_KEPT = 8


class PastCandles:
    """Answers for closed open times from the anchor on; the same question has the same answer."""

    def __init__(self, feed: ExchangeFeed, rows: CandleRows, stored: StoredCandles | None) -> None:
        self._feed = feed
        self._rows = rows
        self._stored = stored
        self._answers: OrderedDict[tuple[int, int], list[CandlesClosed]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def closed(self, first_ms: int, end_ms: int) -> list[CandlesClosed]:
        """The open times from the first on and before the end, or the first of them; empty when no symbol has
        a candle there. Raises Unanswered."""
        first_ms = max(first_ms, self._feed.anchor_ms)
        async with self._lock:
            if (first_ms, end_ms) not in self._answers:
                self._answers[first_ms, end_ms] = await self._found(first_ms, end_ms)
                if len(self._answers) > _ANSWERS_KEPT:
                    self._answers.popitem(last=False)
            return self._answers[first_ms, end_ms]

    async def _found(self, first_ms: int, end_ms: int) -> list[CandlesClosed]:
        stored: list[CandlesClosed] = []
        if self._stored is not None and end_ms > self._feed.first_open_ms:
            stored = await asyncio.to_thread(self._stored.closed, first_ms, end_ms)
        history_end_ms = stored[0].open_time_ms if stored else end_ms
        return [*await self._history(first_ms, history_end_ms), *stored]

    async def _history(self, first_ms: int, end_ms: int) -> list[CandlesClosed]:
        """What the exchange has of a part of the past, its holes filled."""
        step = self._feed.timeframe_ms
        if first_ms >= end_ms:
            return []
        after_ms = max(self._feed.anchor_ms, first_ms - _LEAD_IN * step) - step
        candles = LiveCandles(dict(self._feed.ticks), step, after_ms, closed_before_ms=end_ms)
        question = 0
        while wanted := candles.wanted(question):
            for symbol, since_ms in wanted.items():
                question += 1
                page = await self._rows.page(symbol, since_ms, (end_ms - since_ms) // step + 1)
                told = (page.rows, page.since_ms, page.until_ms)
                candles.answered(symbol, *told, asked_at_ms=question, at_ms=question, now_ms=end_ms)
        return [each for each in candles.closed(question) if each.open_time_ms >= first_ms]
