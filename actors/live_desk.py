"""Between the engine and execution: what is wanted goes out after its commit, and every report is booked."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from actors.exchange_clock import ExchangeClock
from actors.ports import ActorLost, ExchangePort, OrderReport, WantedOrder
from actors.run_ahead import LOST_PAUSE_SECONDS
from trading.decisions import AnyDecision, OrderIntended
from trading.engine import Engine
from trading.events import AccountCompared, AnyEvent, MarketsChanged
from trading.exact_settings import live_market
from trading.exchange_orders import Filter
from trading.exchange_units import live_orders, placement_of, report_event
from trading.market import MarketUnits, market_units
from trading.order_reports import find_order, says_something_new
from trading.reconciliation import compare, on_its_way, worth_telling

# Until the books are right they are looked at each second, then each ten.
HASTE_SECONDS, COMPARE_SECONDS = 1.0, 10.0
FILTERS_SECONDS = 60.0
REPEAT_SECONDS = 2.0

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
        self._fresh: set[str] = set()
        self._incarnation = ""
        self._cursor = 0
        self._again = asyncio.Event()
        self.halted = ""

    def loops(self, changed: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the candles; `changed` is set when something is to be sent again."""
        self._again = changed
        changed.set()
        return [self._follow_reports(), self._compare_books(), self._follow_filters(), self._repeat()]

    def note(self, decisions: Iterable[AnyDecision]) -> None:
        """Remember what was intended by this process: nobody has been told of it."""
        self._fresh |= {each.order.id for each in decisions if isinstance(each, OrderIntended)}

    async def send(self) -> None:
        """Tell execution everything that is wanted, when all of it is stored."""
        orders = live_orders(self._engine.state)
        fresh = self._fresh & {order.id for order in orders}
        wanted = [
            WantedOrder(
                order.id,
                placement_of(order, self._market(order.symbol), self._engine_id),
                fresh=order.id in fresh,
                cancel=bool(order.cancelling),
            )
            for order in orders
        ]
        await self._flush()
        # Whoever does not answer may have sent before it died: nothing is fresh twice.
        self._fresh -= fresh
        try:
            heard = await self._exchange.work(wanted, self._incarnation)
        except ActorLost:
            await asyncio.sleep(LOST_PAUSE_SECONDS)
            self._again.set()
            return
        self._meet(heard)

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
            if news.halted and news.halted != self.halted:
                self.halted = news.halted
                await self._book(AccountCompared(self._clock.now_ms(), problem=f"execution: {news.halted}"))

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

    # The books.

    async def _compare_books(self) -> None:
        while True:
            books = self._engine.state.books
            settled = books is not None and not books.unreconciled and not books.pending
            flattening = bool(self._engine.state.killed) and not self._engine.state.verified_flat
            await self._compare_once()
            await asyncio.sleep(COMPARE_SECONDS if settled and not flattening else HASTE_SECONDS)

    async def _compare_once(self) -> None:
        """Look at the account; what changed meanwhile makes the look worthless."""
        state = self._engine.state
        if self.halted or on_its_way(state):
            return
        before = (state.cash, *(order for order in live_orders(state)))
        account = await self._ask(self._exchange.account)
        if account is None or before != (state.cash, *live_orders(state)):
            return
        found = compare(state, account, self._engine_id)
        if found is not None and worth_telling(state, found):
            await self._book(found)

    async def _follow_filters(self) -> None:
        """Put the exchange's rules for markets in force when they changed."""
        while True:
            filters = await self._ask(self._exchange.filters)
            changed = tuple(self._changed_markets(filters))
            if changed:
                await self._book(MarketsChanged(changed))
            await asyncio.sleep(FILTERS_SECONDS)

    def _changed_markets(self, filters: Iterable[Filter]) -> Iterable[MarketUnits]:
        rules = self._engine.state.rules
        known = {market.symbol: market for market in rules.markets}
        for each in filters:
            market = known.get(each.symbol)
            if market is None:
                continue
            found = market_units(live_market(each), rules.quote_decimals)
            if (found.tick, found.lot) == (market.tick, market.lot) and found != market:
                yield found

    def _market(self, symbol: str) -> MarketUnits:
        return next(market for market in self._engine.state.rules.markets if market.symbol == symbol)
