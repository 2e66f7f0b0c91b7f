"""The strategy actor: one strategy, its windows of candles, and its answers, computed when asked.

Whoever looks up an actor imports its module: what only the actor needs is imported inside it.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from actors.latency import Latency
from actors.ports import ActorLost, Answer, Health, MarketPort
from actors.run_ahead import LOST_PAUSE_SECONDS
from actors.strategy_spec import StrategySpec
from trading.events import Abstention, CandlesClosed
from trading.market import MarketUnits
from trading.signals import Signal
from trading.timeframe import timeframe_name

if TYPE_CHECKING:
    from actors.windows import Window
    from trading.strategies.base import Strategy

WARM_UP_BATCH = 2_000
EXCHANGE_KEYS = ("AUTOTRADER__EXCHANGE__API_KEY", "AUTOTRADER__EXCHANGE__API_SECRET")


class Voter:
    """Answers what its strategy says after any open time.

    It keeps windows of candles and its newest answers, and can make both again from market data:
    whoever asks twice, or after a restart, gets the same answer.
    """

    def __init__(
        self,
        spec: StrategySpec,
        markets: Sequence[MarketUnits],
        market: MarketPort,
        anchor_ms: int,
        timeframe_ms: int,
    ) -> None:
        from trading.strategies.registry import make

        # A strategy is somebody's code, and needs no keys.
        for name in EXCHANGE_KEYS:
            os.environ.pop(name, None)
        self._spec = spec
        self._strategy: Strategy = make(spec.type, dict(spec.params), spec.path)
        self._markets = tuple(markets)
        self._market = market
        self._anchor_ms = anchor_ms
        self._timeframe_ms = timeframe_ms
        self._windows: dict[str, Window] = {}
        self._seen_ms: int | None = None
        self._busy_since: float | None = None
        self._lock = asyncio.Lock()
        self._errors = 0
        self._latency = Latency()
        self._last_error = ""

    async def answers_after(self, open_time_ms: int, limit: int) -> tuple[Answer, ...]:
        """At most `limit` answers after this open time; waits for a candle; empty at the end."""
        async with self._lock:
            if self._seen_ms != open_time_ms:
                await self._warm_up(open_time_ms)
            closed = await self._candles_after(open_time_ms, limit)
            if not closed:
                return ()
            self._seen_ms = closed[-1].open_time_ms
            self._busy_since = since = time.monotonic()
            try:
                return await asyncio.to_thread(self._answers, closed)
            finally:
                self._busy_since = None
                self._latency.add((time.monotonic() - since) / len(closed))

    async def health(self) -> Health:
        """How long its present work has taken, what it raised, and how long it takes for a candle."""
        busy_ms = round(1000 * (time.monotonic() - self._busy_since)) if self._busy_since else 0
        facts = {"errors": self._errors, "last_error": self._last_error, **self._latency.facts()}
        return Health(self._spec.name, os.getpid(), busy_ms, facts)

    async def _warm_up(self, open_time_ms: int) -> None:
        """Fill the windows with what the strategy must remember, up to this open time."""
        from actors.windows import Window

        memory = self._strategy.memory_candles
        if memory is not None:
            memory = max(memory, self._strategy.warmup_candles)
        self._windows = {
            market.symbol: Window(market.symbol, market.tick, memory) for market in self._markets
        }
        at_ms = self._anchor_ms - self._timeframe_ms
        if memory is not None:
            at_ms = max(at_ms, open_time_ms - memory * self._timeframe_ms)
        while at_ms < open_time_ms:
            left = (open_time_ms - at_ms) // self._timeframe_ms
            closed = await self._candles_after(at_ms, min(left, WARM_UP_BATCH))
            if not closed:
                break
            self._extend(closed)
            at_ms = closed[-1].open_time_ms
        self._seen_ms = open_time_ms

    async def _candles_after(self, open_time_ms: int, limit: int) -> tuple[CandlesClosed, ...]:
        while True:
            try:
                return (await self._market.candles_after(open_time_ms, limit)).closed
            except ActorLost:
                await asyncio.sleep(LOST_PAUSE_SECONDS)

    def _extend(self, closed: Sequence[CandlesClosed]) -> dict[str, int]:
        """Add candles to every window; the first new row of each."""
        rows: dict[str, list[Any]] = {symbol: [] for symbol in self._windows}
        for each in closed:
            for candle in each.candles:
                rows[candle.symbol].append((each.open_time_ms, candle))
        return {symbol: self._windows[symbol].extend(added) for symbol, added in rows.items()}

    def _answers(self, closed: Sequence[CandlesClosed]) -> tuple[Answer, ...]:
        signals: dict[int, list[Signal]] = {each.open_time_ms: [] for each in closed}
        abstentions: dict[int, list[Abstention]] = {each.open_time_ms: [] for each in closed}
        for symbol, first in self._extend(closed).items():
            self._speak(self._windows[symbol], first, signals, abstentions)
        return tuple(
            Answer(time_ms, tuple(said), tuple(abstentions[time_ms])) for time_ms, said in signals.items()
        )

    def _speak(
        self,
        window: "Window",
        first: int,
        signals: dict[int, list[Signal]],
        abstentions: dict[int, list[Abstention]],
    ) -> None:
        """What the strategy says of one symbol's new candles."""
        from trading.strategies.evaluate import ABSENT, evaluate

        frame = window.frame
        if first == frame.height:
            return
        times = frame["timestamp"].to_physical()
        new_times = times.slice(first).to_list()
        said = evaluate(
            self._strategy,
            window.symbol,
            timeframe_name(self._timeframe_ms),
            frame,
            first,
            candles_before=window.before,
            closes_before=(int(times[0]) - self._anchor_ms) // self._timeframe_ms,
            every_candles=self._spec.every_candles,
        )
        for index, time_ms in enumerate(new_times):
            if said.sides[index] != ABSENT:
                signal = said.signal(index, self._spec.name, window.symbol, time_ms)
                assert signal is not None
                signals[time_ms].append(signal)
        for index, why in said.errors.items():
            self._errors, self._last_error = self._errors + 1, why
            abstentions[new_times[index]].append(Abstention(self._spec.name, window.symbol, why))
