"""The risk actor of a live run: candles as they close, prices between them, and what an exchange reports.

It decides nothing either. Each of its loops brings the engine one kind of event, and one sends what the
engine wants: on paper to the paper venue, live to execution, after the commit that holds it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from actors.exchange_clock import ExchangeClock
from actors.journal_writer import JournalWriter
from actors.live_desk import LiveDesk
from actors.ports import (
    Answer,
    ExchangePort,
    Health,
    MarketPort,
    PricesPort,
    StorePort,
    StrategyPort,
    VenuePort,
)
from actors.risk import Risk, said
from actors.run_ahead import RunAhead
from trading.decisions import AnyDecision, CancelIntended, OrderChanged, OrderEnded, OrderIntended
from trading.desk import due_ms
from trading.engine import Engine
from trading.errors import AutotraderError, InputError, OperationError, TakenOver
from trading.events import (
    AnyEvent,
    CandlesClosed,
    EngineResumed,
    Price,
    PricesSeen,
    SignalsCollected,
)
from trading.exchange_orders import Quote
from trading.exchange_units import prices_of
from trading.journal import snapshot
from trading.open_time import reported
from trading.quote_venue import execute_at_quotes
from trading.rules import Rules
from trading.state import EngineState, SymbolState

FRESH_MS = 10_000
FEED_SECONDS = 1.0
TOUCHED_SECONDS = 0.2
TIMER_SECONDS = 0.5
TROUBLE_SECONDS = 1.0
QUOTES_TRIES = 5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0

log = logging.getLogger(__name__)

SENDING = (OrderIntended, CancelIntended, OrderChanged, OrderEnded)


class LiveRisk(Risk):
    """Holds the engine of a live run.

    `exchange` is where orders go; None fills them on paper at live prices. `engine_id` names this engine in
    client order ids. Nobody waits longer than `deadline_seconds` for a strategy.
    """

    def __init__(
        self,
        store: StorePort,
        market: MarketPort,
        venue: VenuePort,
        strategy: Callable[[str], StrategyPort],
        rules: Rules | None,
        silent_after_seconds: float,
        rules_after: int | None,
        prices: PricesPort,
        exchange: ExchangePort | None,
        engine_id: str,
        deadline_seconds: float,
    ) -> None:
        super().__init__(store, market, venue, strategy, rules, silent_after_seconds, rules_after)
        self._prices_port = prices
        self._exchange = exchange
        self._engine_id = engine_id
        self._deadline_seconds = deadline_seconds
        self._deadline_at = 0.0
        self._clock = ExchangeClock()
        self._quotes: dict[str, Quote] = {}
        self._fresh_since_ms = 0
        self._fed_at = 0.0
        self._changed = asyncio.Event()
        self._desk: LiveDesk | None = None
        self._helpers: list[asyncio.Task[None]] = []
        self._command_failed: Exception | None = None
        self._trouble = ""

    async def health(self) -> Health:
        """As of any risk actor, with how the books stand and how old the prices are."""
        found = await super().health()
        engine, now_ms = self._engine, self._clock.now_ms()
        if engine is not None and engine.state.books is not None:
            found.facts["unreconciled"] = engine.state.books.unreconciled
        ages = {symbol: now_ms - quote.time_ms for symbol, quote in self._quotes.items()}
        found.facts["price_age_ms"] = max(ages.values(), default=-1)
        if self._trouble:
            found.facts["prices"] = self._trouble
        if self._writer is not None and self._writer.delayed:
            found.facts["storage"] = self._writer.delayed
        if self._desk is not None:
            found.facts["execution"] = self._desk.halted or "ok"
        return found

    # The loops.

    async def _run(self) -> None:
        """Run for good: after what nobody foresaw, go on from what is stored, as after a crash."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                engine = await self._recover()
                return await self._run_candles(engine)
            except asyncio.CancelledError:
                raise
            except (TakenOver, InputError) as error:
                return await self._fail(error)
            except Exception as error:
                await self._begin_again(error, pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _begin_again(self, error: Exception, pause: float) -> None:
        """Forget what may be half changed; what stands at the exchange stays there meanwhile."""
        log.error("risk begins again", exc_info=error)
        self._engine, self._desk, self._command_failed = None, None, None
        for voter in self._voters.values():
            voter.close()
        self._voters = {}
        if self._writer is not None:
            self._writer.abandon(error)
        text = f"risk begins again from what is stored: {said(error)}"
        with suppress(AutotraderError):
            await self._store.log("alarm", "risk", "begins_again", text)
        await asyncio.sleep(pause)

    def _halt(self, error: Exception) -> None:
        """A command met what nobody foresaw: the loops end, and begin again from what is stored."""
        self._command_failed = error
        for task in self._helpers:
            task.cancel()

    async def _run_candles(self, engine: Engine) -> None:
        if self._exchange is not None:
            self._desk = LiveDesk(
                engine, self._exchange, self._engine_id, self._clock, self._book, self._flush, self._ask
            )
        await self._hear_the_time()
        async with self._lock:
            self._handle(engine, EngineResumed(self._clock.now_ms()))
        loops = [self._take_candles(engine), self._follow_prices(engine), self._pass_time(engine)]
        loops.append(self._send_on(engine))
        if self._desk is not None:
            loops += self._desk.loops(self._changed)
        self._helpers = [asyncio.ensure_future(each) for each in loops]
        try:
            done, _ = await asyncio.wait(self._helpers, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.cancelled():
                    raise self._command_failed or OperationError("a loop of risk was cancelled")
                task.result()
            raise OperationError("a loop of risk ended")
        finally:
            for task in self._helpers:
                task.cancel()
            await asyncio.wait(self._helpers)

    async def _hear_the_time(self) -> None:
        """Every time that counts is the exchange's: nothing begins before it is known."""
        tries = 0
        while not self._quotes:
            await self._take_quotes(0)
            tries += 1
            if tries > QUOTES_TRIES and self._exchange is not None:
                account = await self._ask(self._exchange.account)
                if account is not None:
                    return self._clock.observe(account.time_ms)

    async def _pass_time(self, engine: Engine) -> None:
        """Time passes also while no price comes: what is due is done."""
        while True:
            await asyncio.sleep(TIMER_SECONDS)
            now_ms = self._clock.now_ms()
            if any(0 < due_ms(each) <= now_ms for each in engine.state.symbols.values()):
                await self._book(PricesSeen(now_ms, ()))

    async def _take_quotes(self, after: int) -> int:
        """Take in what is new; a feed that cannot tell is asked again."""
        try:
            cursor, quotes = await self._ask(lambda: self._prices_port.quotes(after))
        except AutotraderError as error:
            self._trouble = str(error)
            await asyncio.sleep(TROUBLE_SECONDS)
            return after
        self._trouble = ""
        for quote in quotes:
            self._clock.observe(quote.time_ms)
            self._quotes[quote.symbol] = quote
        return cursor

    async def _take_candles(self, engine: Engine) -> None:
        """Go on from where the engine stands; the vote comes first that a crash left out."""
        state = engine.state
        age_ms = self._clock.now_ms() - state.open_time_ms - state.rules.timeframe_ms
        if state.voted_ms < state.open_time_ms and age_ms < state.rules.timeframe_ms:
            await self._vote(engine)
        while await self._next_open_time(engine):
            pass

    async def _next_open_time(self, engine: Engine) -> bool:
        """Take the next open time in; only the newest is voted on."""
        assert self._candles is not None and self._writer is not None
        closed = await self._candles.next()
        if closed is None:
            return False
        taken_at = time.monotonic()
        await self._writer.room()
        close_ms = closed.open_time_ms + engine.state.rules.timeframe_ms
        async with self._lock:
            if self._exchange is None and not self._was_watched(closed):
                await self._execute(engine, closed)
            self._handle(engine, closed)
        if self._is_newest(engine, close_ms):
            await self._vote(engine)
            self._latency.add(time.monotonic() - taken_at)
        self._count += 1
        return True

    async def _vote(self, engine: Engine) -> None:
        self._deadline_at = time.monotonic() + self._deadline_seconds
        await super()._vote(engine)

    def _is_newest(self, engine: Engine, close_ms: int) -> bool:
        """Whether no later candle is here, and this one is not so old that there must be one."""
        live = engine.state.rules.live
        assert live is not None and self._candles is not None
        return not self._candles.more and self._clock.now_ms() - close_ms <= live.stale_after_ms

    def _was_watched(self, closed: CandlesClosed) -> bool:
        """Whether prices were there all through a candle: then stops have had their say."""
        return 0 < self._fresh_since_ms <= closed.open_time_ms

    async def _answer(self, name: str, voter: RunAhead[Answer], open_time_ms: int) -> Answer | None:
        """One strategy's answer; None when it is late: nobody waits longer than the deadline."""
        self._waits_for = (name, time.monotonic())
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._seconds_left()):
                answer = await voter.next()
                while answer is not None and answer.open_time_ms < open_time_ms:
                    answer = await voter.next()
        except TimeoutError:
            return None
        finally:
            self._waits_for = None
        return answer if answer is not None and answer.open_time_ms == open_time_ms else None

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline_at - time.monotonic())

    async def _collect(self, open_time_ms: int) -> SignalsCollected:
        found = await super()._collect(open_time_ms)
        prices = tuple(self._fresh_prices().values())
        return SignalsCollected(
            found.open_time_ms, found.signals, found.abstentions, self._clock.now_ms(), prices
        )

    # Prices.

    async def _follow_prices(self, engine: Engine) -> None:
        cursor = 0
        while True:
            cursor = await self._take_quotes(cursor)
            self._watch(engine)
            await self._feed(engine)

    def _watch(self, engine: Engine) -> None:
        """Remember since when every symbol has had a fresh price."""
        if len(self._fresh_prices()) < len(engine.state.symbols):
            self._fresh_since_ms = 0
        elif not self._fresh_since_ms:
            self._fresh_since_ms = self._clock.now_ms()

    def _fresh_prices(self) -> dict[str, Price]:
        if self._engine is None:
            return {}
        markets = {market.symbol: market for market in self._engine.state.rules.markets}
        oldest_ms = self._clock.now_ms() - FRESH_MS
        fresh = [quote for quote in self._quotes.values() if quote.time_ms >= oldest_ms]
        return {price.symbol: price for price in prices_of(fresh, markets)}

    async def _feed(self, engine: Engine) -> None:
        """Tell the engine of prices while they matter: once a second, at once when a stop is reached."""
        prices = self._fresh_prices()
        state, now_ms = engine.state, self._clock.now_ms()
        since = time.monotonic() - self._fed_at
        mattering = [each for each in state.symbols.values() if _matters(each)]
        due = any(0 < due_ms(each) <= now_ms for each in mattering)
        touched = since >= TOUCHED_SECONDS and any(_touched(each, prices) for each in mattering)
        if not (mattering and (since >= FEED_SECONDS or due or touched)):
            return
        self._fed_at = time.monotonic()
        told = tuple(prices[each.symbol] for each in mattering if each.symbol in prices)
        await self._book(PricesSeen(now_ms, told))
        if self._exchange is None and any(each.exit or each.entry for each in mattering):
            self._changed.set()

    # Sending.

    async def _send_on(self, engine: Engine) -> None:
        """Send what is wanted, whenever something changed."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._exchange is None:
                await self._fill_on_paper(engine)
            elif self._desk is not None:
                await self._desk.send()

    async def _fill_on_paper(self, engine: Engine) -> None:
        """What waits fills at the best prices of this moment; without a fresh price it goes on waiting."""
        await self._flush()
        async with self._lock:
            state = engine.state
            prices, now_ms = self._fresh_prices(), self._clock.now_ms()
            executions = execute_at_quotes(engine.working(), state.cash, prices, now_ms, state.rules)
            if executions.fills or executions.endings:
                self._handle(engine, reported(now_ms, executions))
        await self._flush()

    async def _execute(self, engine: Engine, closed: CandlesClosed) -> None:
        """A candle that nobody watched goes through the paper venue for what was held before it."""
        book = [
            each
            for each in engine.working()
            if each.position is not None and each.position.entry_time_ms <= closed.open_time_ms
        ]
        if book:
            await self._ask_venue(engine, book, closed)

    # What the loops share.

    async def _book(self, event: AnyEvent) -> list[AnyDecision]:
        """Give the engine an event, when no other is being handled."""
        assert self._engine is not None
        async with self._lock:
            return self._handle(self._engine, event)

    async def _flush(self) -> None:
        assert self._writer is not None
        await self._writer.flush()

    def _handle(self, engine: Engine, event: AnyEvent) -> list[AnyDecision]:
        decisions = super()._handle(engine, event)
        if self._desk is not None:
            self._desk.note(decisions)
        if any(isinstance(decision, SENDING) for decision in decisions):
            self._changed.set()
        return decisions

    def _make_writer(self, state: EngineState) -> JournalWriter:
        return JournalWriter(self._store, lambda: snapshot(state), state.sequence, patient=True)


def _matters(symbol: SymbolState) -> bool:
    """Whether the price of a symbol can change anything now."""
    live = symbol.live
    waiting = symbol.position or symbol.entry or symbol.exit
    return bool(waiting or (live and (live.orders() or live.suspect)))


def _touched(symbol: SymbolState, prices: Mapping[str, Price]) -> bool:
    """Whether a price reached the stop or the target of a position."""
    position, price = symbol.position, prices.get(symbol.symbol)
    if position is None or price is None or symbol.exit is not None:
        return False
    return price.bid <= position.stop or 0 < position.target <= price.bid
