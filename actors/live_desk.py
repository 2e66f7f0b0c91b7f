"""Between the engine and execution: what is wanted goes out after its commit, and every report is booked."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from actors.exchange_clock import ExchangeClock
from actors.ports import ActorLost, ExchangePort, OrderReport, WantedOrder
from actors.run_ahead import LOST_PAUSE_SECONDS
from trading.decisions import AnyDecision, OrderIntended
from trading.engine import Engine
from trading.errors import SettingsError
from trading.events import AccountCompared, AnyEvent, MarketsChanged
from trading.exact_settings import live_market
from trading.exchange_orders import Filter
from trading.exchange_units import live_orders, placement_of, report_event
from trading.market import MarketUnits, market_units
from trading.order_reports import find_order, says_something_new
from trading.orders import Order, OrderState
from trading.reconciliation import compare, on_its_way, worth_telling
from trading.signals import Side

# Until the books are right they are looked at each second, then each ten.
HASTE_SECONDS, COMPARE_SECONDS = 1.0, 10.0
FILTERS_SECONDS = 60.0
REPEAT_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.5
# A buy that left later than this after its decision would be another one.
STALE_SECONDS = 10.0
SILENCE_SECONDS = 20.0
SILENCE = "the exchange does not tell how the account stands: is it reachable, and the key good?"

Answered = TypeVar("Answered")


class LiveDesk:
    """The risk actor's loops that speak with execution.

    `book` gives the engine an event, `flush` waits until everything so far is stored, `ask` asks an actor
    until it answers.
    """

    def __init__(
        self,
        engine: Engine,
        exchange: ExchangePort,
        engine_id: str,
        clock: ExchangeClock,
        book: Callable[[AnyEvent], Awaitable[list[AnyDecision]]],
        flush: Callable[[], Awaitable[None]],
        ask: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]],
    ) -> None:
        self._engine = engine
        self._exchange = exchange
        self._engine_id = engine_id
        self._clock = clock
        self._book = book
        self._flush = flush
        self._ask = ask
        self._fresh: dict[str, float] = {}
        self._incarnation = ""
        self._cursor = 0
        self._again = asyncio.Event()
        self._look = asyncio.Event()
        self._looked_at = 0.0
        self._heard_at = time.monotonic()
        self.halted = ""

    def loops(self, changed: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the candles; `changed` is set when something is to be sent again."""
        self._again = changed
        changed.set()
        return [self._follow_reports(), self._compare_books(), self._follow_filters(), self._repeat()]

    def note(self, decisions: Iterable[AnyDecision]) -> None:
        """Remember what was intended by this process: nobody has been told of it."""
        now = time.monotonic()
        self._fresh |= {each.order.id: now for each in decisions if isinstance(each, OrderIntended)}

    async def send(self) -> None:
        """Tell execution everything that is wanted, when all of it is stored."""
        orders = await self._stored_orders()
        fresh = self._fresh.keys() & {order.id for order in orders}
        wanted = [self._wanted(order, order.id in fresh) for order in orders]
        # Whoever does not answer may have sent before it died: nothing is fresh twice.
        for order_id in fresh:
            del self._fresh[order_id]
        try:
            heard = await self._exchange.work(wanted, self._incarnation)
        except ActorLost:
            await asyncio.sleep(LOST_PAUSE_SECONDS)
            self._again.set()
            return
        self._meet(heard)

    async def _stored_orders(self) -> list[Order]:
        """The orders as they are stored: what changes while it is stored is stored too, then sent."""
        state = self._engine.state
        while True:
            sequence = state.sequence
            await self._flush()
            if state.sequence == sequence:
                return live_orders(state)

    def _wanted(self, order: Order, fresh: bool) -> WantedOrder:
        """An order as execution hears of it; a buy that could not be stored for long is cancelled."""
        since = time.monotonic() - self._fresh[order.id] if fresh else 0.0
        stale = order.side is Side.BUY and since > STALE_SECONDS
        placement = placement_of(order, self._market(order.symbol), self._engine_id)
        return WantedOrder(order.id, placement, fresh=fresh, cancel=stale or bool(order.cancelling))

    def _meet(self, incarnation: str) -> None:
        """Another process answers than before: it must be told everything, and tells everything anew."""
        if incarnation != self._incarnation:
            self._incarnation, self._cursor = incarnation, 0
            self._again.set()

    async def _repeat(self) -> None:
        """Say what is wanted from time to time, so that nothing hangs on one message."""
        while True:
            await asyncio.sleep(REPEAT_SECONDS)
            if live_orders(self._engine.state):
                self._again.set()

    async def _follow_reports(self) -> None:
        while True:
            news = await self._ask(lambda: self._exchange.news(self._incarnation, self._cursor))
            self._meet(news.incarnation)
            for report in news.reports:
                await self._take(report)
            if news.incarnation == self._incarnation:
                self._cursor = news.cursor
            await self._note_halt(news.halted)

    async def _note_halt(self, halted: str) -> None:
        """Execution sends nothing any more, or does again."""
        if halted == self.halted:
            return
        self.halted = halted
        if halted:
            await self._book(AccountCompared(self._clock.now_ms(), problem=f"execution: {halted}"))
        self._look.set()

    async def _take(self, report: OrderReport) -> None:
        state = self._engine.state
        symbol = state.symbols.get(report.symbol)
        order = find_order(state, symbol, report.order_id) if symbol is not None else None
        if order is None:
            return
        event = report_event(
            state,
            order,
            self._market(report.symbol),
            self._clock.now_ms(),
            state=report.state,
            exchange_id=report.exchange_id,
            executions=report.executions,
            why=report.why,
        )
        if says_something_new(state, event):
            await self._book(event)
            if event.state is OrderState.REFUSED:
                # The exchange's rules, or what it holds, may have changed.
                self._look.set()

    # The books.

    async def _compare_books(self) -> None:
        while True:
            looked = await self._compare_once()
            books, state = self._engine.state.books, self._engine.state
            settled = books is not None and not books.unreconciled and not books.pending
            flattening = bool(state.killed) and not state.verified_flat
            await asyncio.sleep(COMPARE_SECONDS if looked and settled and not flattening else HASTE_SECONDS)

    async def _compare_once(self) -> bool:
        """Look at the account; whether it said anything: what changed meanwhile makes the look worthless."""
        state = self._engine.state
        busy = on_its_way(state)
        if self.halted or (busy and time.monotonic() - self._looked_at < COMPARE_SECONDS):
            return False
        self._looked_at = time.monotonic()
        before = (state.cash, *live_orders(state))
        account = await self._ask(self._exchange.account)
        if account is None:
            await self._note_silence()
            return False
        self._heard_at = time.monotonic()
        if busy or before != (state.cash, *live_orders(state)):
            return False
        found = compare(state, account, self._engine_id)
        if found is not None and worth_telling(state, found):
            await self._book(found)
        return found is not None

    async def _note_silence(self) -> None:
        """Whoever is not told how the account stands for long does not know how the books stand."""
        books = self._engine.state.books
        if time.monotonic() - self._heard_at < SILENCE_SECONDS or books is None:
            return
        if books.unreconciled != SILENCE:
            await self._book(AccountCompared(self._clock.now_ms(), problem=SILENCE))

    async def _follow_filters(self) -> None:
        """Put the exchange's rules for markets in force when they changed."""
        while True:
            filters = await self._ask(self._exchange.filters)
            changed = tuple(self._changed_markets(filters))
            if changed:
                await self._book(MarketsChanged(self._clock.now_ms(), changed))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), FILTERS_SECONDS)
            self._look.clear()
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    def _changed_markets(self, filters: Iterable[Filter]) -> Iterable[MarketUnits]:
        rules = self._engine.state.rules
        known = {market.symbol: market for market in rules.markets}
        for each in filters:
            market = known.get(each.symbol)
            if market is None:
                continue
            try:
                found = market_units(live_market(each), rules.quote_decimals)
            except SettingsError:
                continue  # A step too fine to count in: orders in the old steps are good.
            if (found.tick, found.lot) == (market.tick, market.lot) and found != market:
                yield found

    def _market(self, symbol: str) -> MarketUnits:
        return next(market for market in self._engine.state.rules.markets if market.symbol == symbol)
