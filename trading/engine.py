"""The engine: one synchronous state machine. An event goes in, decisions come out.

It is the only place where a trading decision is made, and every driver (backtest, replay, paper,
live) drives this one. It reads no clock, does no input or output, and what it knows between two
events is its `state`: a snapshot restored goes on as the original would have.
"""

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from msgspec.structs import replace

from trading.commands import COMMANDS
from trading.decisions import (
    AnyDecision,
    Approved,
    EquityMarked,
    FillBooked,
    Level,
    Noticed,
    OrderEnded,
    OrderIntended,
    OutcomeDecided,
    PositionOpened,
    TradeClosed,
    Verdict,
)
from trading.desk import held_at_all, settle
from trading.entries import committed, judge_entry
from trading.errors import InputError
from trading.events import (
    AccountCompared,
    AnyEvent,
    CandlesClosed,
    Command,
    EngineResumed,
    MarketsChanged,
    OrderReported,
    PricesSeen,
    RunStarted,
    SignalsCollected,
    VenueReported,
)
from trading.exits import exit_position, start_cooldown
from trading.ledger import cash_after, closed, opened, raise_stop, take_sold
from trading.live_prices import mark_price, observe, observe_all
from trading.order_reports import take_report
from trading.orders import Ending, Fill, Reason
from trading.reconciliation import take_comparison
from trading.signals import Side
from trading.simulated_venue import Working
from trading.state import EngineState, SymbolState, first_state
from trading.switches import (
    block_on_day_loss,
    kill_reason,
    loss_warnings,
    roll_day,
    room_warnings,
    throw_kill_switch,
)
from trading.vote import Outcome, tally

REQUESTS_KEPT = 1_000
# What is so much older than what was told before comes from a clock that was set back.
SET_BACK_MS = 5_000


class Engine:
    """The rules applied to one account; `state` is all that it remembers.

    Make one with `Engine.start`, or give it a restored state.
    """

    def __init__(self, state: EngineState) -> None:
        self.state = state
        self._markets = {market.symbol: market for market in state.rules.markets}
        self._handlers: dict[type[Any], Callable[[Any], list[AnyDecision]]] = {
            CandlesClosed: self._candles_closed,
            SignalsCollected: self._signals_collected,
            VenueReported: self._venue_reported,
            PricesSeen: self._prices_seen,
            OrderReported: self._order_reported,
            EngineResumed: self._engine_resumed,
            AccountCompared: self._account_compared,
            MarketsChanged: self._markets_changed,
            **{command: self._command for command in COMMANDS},
        }
        self._validity_ms = self._signal_validity()

    @classmethod
    def start(cls, started: RunStarted) -> "Engine":
        """A new account at the start of its run."""
        state = first_state(started.rules, started.anchor_ms, started.first_open_ms, dict(started.holes))
        return cls(state)

    def handle(self, event: AnyEvent) -> list[AnyDecision]:
        """Apply one event and return what was decided, in order.

        Raises InputError for a command that cannot be done; nothing was changed. Raises ValueError
        (an open time that cannot follow, a sale of what is not held) or KeyError (a symbol that is
        not in the rules) for a bug of the driver: the engine must then be restored.
        """
        decisions = self._handlers[type(event)](event)
        if self.state.rules.on_exchange:
            for symbol in self.state.symbols.values():
                decisions += settle(self.state, symbol, self._markets[symbol.symbol])
        self.state.sequence += 1
        return decisions

    def working(self) -> list[Working]:
        """What a venue must know: waiting orders and protected positions, in the settings' order."""
        return [
            Working(each.symbol, each.entry, each.exit, each.position)
            for each in self.state.symbols.values()
            if each.entry is not None or each.position is not None
        ]

    # Rulebook 5, step 3: mark, kill switch, day, day's loss, trailing stops; the vote follows.

    def _candles_closed(self, event: CandlesClosed) -> list[AnyDecision]:
        state = self.state
        if event.open_time_ms <= state.open_time_ms:
            raise ValueError(f"candles of {event.open_time_ms} after those of {state.open_time_ms}")
        self._see(event)
        held = self._mark()
        decisions: list[AnyDecision] = [EquityMarked(event.open_time_ms, state.equity, state.cash, held)]
        decisions += self._test_kill_switch()
        close_ms = event.open_time_ms + self.state.rules.timeframe_ms
        if close_ms >= state.day_end_ms:
            decisions.append(roll_day(state, close_ms))
        decisions += self._test_day()
        if held:
            for position in state.positions():
                symbol = state.symbols[position.symbol]
                raise_stop(position, mark_price(symbol), state.rules.limits.trailing_stop_percent)
        return decisions

    def _test_kill_switch(self) -> list[AnyDecision]:
        state = self.state
        warnings: list[AnyDecision] = [*loss_warnings(state)] if state.equity < state.peak else []
        why = kill_reason(state)
        return [*warnings, *throw_kill_switch(state, why)] if why else warnings

    def _test_day(self) -> list[AnyDecision]:
        if not block_on_day_loss(self.state):
            return []
        return [Noticed(Level.ALARM, "daily_loss", "the day's loss limit holds: no entries until 00:00 UTC")]

    def _see(self, event: CandlesClosed) -> None:
        """Take in the candles of one open time."""
        state = self.state
        symbols = [state.symbols[candle.symbol] for candle in event.candles]
        state.open_time_ms = event.open_time_ms
        if len(symbols) < len(state.symbols):
            for symbol in state.symbols.values():
                symbol.present = symbol.real = False
        for symbol, candle in zip(symbols, event.candles, strict=True):
            symbol.last_close = candle.close
            symbol.present = True
            symbol.real = not candle.filled
            symbol.holes.see(candle.filled, state.rules.limits.max_gap_candles)
        if state.rules.live is not None:
            close_ms = event.open_time_ms + state.rules.timeframe_ms
            for symbol in symbols:
                observe(symbol, symbol.last_close, close_ms, state.rules.live.max_price_jump_percent)

    def _mark(self) -> bool:
        """Set the equity at the last closes (live: at the newest prices); whether any position is open."""
        state = self.state
        equity = state.cash
        held = False
        for symbol in state.symbols.values():
            if symbol.position is not None or symbol.live is not None:
                held = held or symbol.position is not None
                market = self._markets[symbol.symbol]
                equity += market.notional(mark_price(symbol), held_at_all(symbol))
        state.equity = equity
        return held

    # Rulebook 3 and 4: vote, then decide, symbol by symbol in the order of the settings.

    def _signals_collected(self, event: SignalsCollected) -> list[AnyDecision]:
        state = self.state
        if event.open_time_ms != state.open_time_ms or event.open_time_ms == state.voted_ms:
            raise ValueError(f"signals of {event.open_time_ms} at {state.open_time_ms}, or twice")
        state.voted_ms = event.open_time_ms
        fresh = {price.symbol for price in event.prices}
        if state.books is not None:
            self._pass_time(event.taken_ms)
            observe_all(state, event.prices, event.taken_ms)
        for signal in event.signals:
            state.symbols[signal.symbol].signals[signal.strategy] = signal
        decisions: list[AnyDecision] = []
        for symbol in state.symbols.values():
            if symbol.present:
                outcome = tally(
                    symbol.signals,
                    self._validity_ms,
                    state.rules.seats,
                    state.rules.vote,
                    event.open_time_ms,
                )
                decisions += self._decide(symbol, outcome, fresh)
        return decisions

    def _decide(self, symbol: SymbolState, outcome: Outcome, fresh: set[str]) -> Iterable[AnyDecision]:
        """Turn one outcome into an order, or into nothing (rulebook 4)."""
        verdict: Verdict | None = None
        follow: list[AnyDecision] = []
        if outcome.side is Side.BUY and symbol.position is None and symbol.entry is None:
            verdict = judge_entry(self.state, symbol, self._markets, outcome.votes, fresh)
            if isinstance(verdict, Approved):
                follow = self._enter(symbol, verdict)
        elif outcome.side is Side.SELL and symbol.position is not None:
            waiting = symbol.exit
            order, follow = exit_position(self.state, symbol, Reason.SIGNAL, outcome.votes)
            verdict = Approved(order) if order is not waiting else None
        return [OutcomeDecided(self.state.open_time_ms, symbol.symbol, outcome, verdict), *follow]

    def _enter(self, symbol: SymbolState, verdict: Approved) -> list[AnyDecision]:
        symbol.entry = verdict.order
        self.state.entries_ms.append(verdict.order.decided_ms)
        room = room_warnings(self.state, *committed(self.state, self._markets))
        return [OrderIntended(verdict.order), *room]

    # The ledger: what a venue reports is booked once.

    def _venue_reported(self, event: VenueReported) -> list[AnyDecision]:
        decisions: list[AnyDecision] = []
        for fill in event.fills:
            decisions += self._book(fill)
        for ending in event.endings:
            decisions += self._end(ending)
        state = self.state
        if state.killed and not state.verified_flat and state.flat():
            state.verified_flat = True
            decisions.append(Noticed(Level.ALARM, "kill_switch", "verified flat: nothing of ours is left"))
        return decisions

    def _book(self, fill: Fill) -> list[AnyDecision]:
        symbol = self.state.symbols[fill.symbol]
        market = self._markets[fill.symbol]
        self.state.cash = cash_after(self.state.cash, fill, market)
        if fill.side is Side.BUY:
            votes = symbol.entry.votes if symbol.entry is not None else ()
            symbol.position = opened(fill, market, self.state.rules.limits, votes)
            symbol.entry = None
            return [FillBooked(fill), PositionOpened(copy(symbol.position))]
        if symbol.position is None:
            raise ValueError(f"fill {fill.id} sells {fill.symbol}, which is not held")
        take_sold(symbol.position, fill, market)
        trade = closed(symbol.position, market)
        symbol.position = symbol.exit = None
        if fill.reason is Reason.STOP:
            start_cooldown(self.state, symbol, fill.time_ms)
        return [FillBooked(fill), TradeClosed(trade)]

    def _end(self, ending: Ending) -> list[AnyDecision]:
        symbol = self.state.symbols[ending.symbol]
        if symbol.entry is not None and symbol.entry.id == ending.order_id:
            symbol.entry = None
        elif symbol.exit is not None and symbol.exit.id == ending.order_id:
            symbol.exit = None
        return [OrderEnded(ending)]

    # Live: time passes, prices move, and the exchange reports (rulebook 5 to 7).

    def _prices_seen(self, event: PricesSeen) -> list[AnyDecision]:
        state = self.state
        self._pass_time(event.time_ms)
        observe_all(state, event.prices, event.time_ms)
        self._mark()
        decisions = [*self._test_kill_switch(), *self._test_day()]
        if not state.rules.on_exchange:
            for symbol in state.symbols.values():
                decisions += self._protect_on_paper(symbol)
        return decisions

    def _protect_on_paper(self, symbol: SymbolState) -> list[AnyDecision]:
        """Sell what reached its stop or target at a confirmed price."""
        position, price = symbol.position, mark_price(symbol)
        if position is None:
            return []
        if price <= position.stop:
            return exit_position(self.state, symbol, Reason.STOP)[1]
        if 0 < position.target <= price:
            return exit_position(self.state, symbol, Reason.TAKE_PROFIT)[1]
        return []

    def _order_reported(self, event: OrderReported) -> list[AnyDecision]:
        self._pass_time(event.time_ms)
        return take_report(self.state, event, self._markets[event.symbol])

    def _engine_resumed(self, event: EngineResumed) -> list[AnyDecision]:
        """What was known before is old: compare the account first, and count every time anew."""
        self._pass_time(event.time_ms)
        if self.state.books is not None:
            self.state.books.unreconciled = "the engine was started: the account is being compared"
            self.state.books.pending = {}
        for symbol in self.state.symbols.values():
            live = symbol.live
            if live is not None:
                live.bare_since_ms = live.under_since_ms = live.stop_again_ms = live.exit_again_ms = 0
        return []

    def _account_compared(self, event: AccountCompared) -> list[AnyDecision]:
        return take_comparison(self.state, event)

    def _markets_changed(self, event: MarketsChanged) -> list[AnyDecision]:
        self._pass_time(event.time_ms)
        changed = {market.symbol: market for market in event.markets}
        markets = tuple(changed.get(market.symbol, market) for market in self.state.rules.markets)
        self.state.rules = replace(self.state.rules, markets=markets)
        self._markets = {market.symbol: market for market in markets}
        names = ", ".join(changed)
        return [Noticed(Level.WARNING, "markets_changed", f"the exchange changed its rules for {names}")]

    def _pass_time(self, time_ms: int) -> None:
        books = self.state.books
        if books is None:
            return
        if time_ms < books.now_ms - SET_BACK_MS:
            books.now_ms = time_ms
            for symbol in self.state.symbols.values():
                if symbol.live is not None:
                    symbol.live.set_back(time_ms)
        books.now_ms = max(books.now_ms, time_ms)

    # Commands, each done once.

    def _command(self, command: Command) -> list[AnyDecision]:
        known = self.state.requests.get(command.request_id)
        if known == type(command).__name__:
            return []
        if known is not None:
            raise InputError(f"request_id: {command.request_id!r} was used for another command")
        decisions = COMMANDS[type(command)](self.state, command)
        self._remember(command)
        self._validity_ms = self._signal_validity()
        return decisions

    def _remember(self, command: Command) -> None:
        """Keep the ids of the newest commands: a command is not sent again after so many others."""
        requests = self.state.requests
        requests[command.request_id] = type(command).__name__
        while len(requests) > REQUESTS_KEPT:
            del requests[next(iter(requests))]

    def _signal_validity(self) -> dict[str, int]:
        return {
            seat.name: seat.valid_candles * self.state.rules.timeframe_ms for seat in self.state.rules.seats
        }
