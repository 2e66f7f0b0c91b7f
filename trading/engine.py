"""The engine: one synchronous state machine. An event goes in, decisions come out.

It is the only place where a trading decision is made, and every driver (backtest, replay, paper,
live) drives this one. It reads no clock, does no input or output, and what it knows between two
events is its `state`: a snapshot restored goes on as the original would have.
"""

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

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
from trading.entries import committed, judge_entry
from trading.errors import InputError
from trading.events import (
    AnyEvent,
    CandlesClosed,
    Command,
    RunStarted,
    SignalsCollected,
    VenueReported,
)
from trading.exits import exit_position
from trading.ledger import closed, opened, raise_stop
from trading.orders import Ending, Fill, Reason
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
        if state.equity < state.peak:
            decisions += loss_warnings(state)
        why = kill_reason(state)
        if why:
            decisions += throw_kill_switch(state, why)
        close_ms = event.open_time_ms + self.state.rules.timeframe_ms
        if close_ms >= state.day_end_ms:
            decisions.append(roll_day(state, close_ms))
        if block_on_day_loss(state):
            decisions.append(
                Noticed(Level.ALARM, "daily_loss", "the day's loss limit holds: no entries until 00:00 UTC")
            )
        if held:
            for position in state.positions():
                symbol = state.symbols[position.symbol]
                raise_stop(position, symbol.last_close, state.rules.limits.trailing_stop_percent)
        return decisions

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

    def _mark(self) -> bool:
        """Set the equity at the last closes; whether any position is open."""
        state = self.state
        equity = state.cash
        held = False
        for symbol in state.symbols.values():
            if symbol.position is not None:
                held = True
                market = self._markets[symbol.symbol]
                equity += market.notional(symbol.last_close, symbol.position.amount)
        state.equity = equity
        return held

    # Rulebook 3 and 4: vote, then decide, symbol by symbol in the order of the settings.

    def _signals_collected(self, event: SignalsCollected) -> list[AnyDecision]:
        state = self.state
        if event.open_time_ms != state.open_time_ms or event.open_time_ms == state.voted_ms:
            raise ValueError(f"signals of {event.open_time_ms} at {state.open_time_ms}, or twice")
        state.voted_ms = event.open_time_ms
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
                decisions += self._decide(symbol, outcome)
        return decisions

    def _decide(self, symbol: SymbolState, outcome: Outcome) -> Iterable[AnyDecision]:
        """Turn one outcome into an order, or into nothing (rulebook 4)."""
        verdict: Verdict | None = None
        follow: list[AnyDecision] = []
        if outcome.side is Side.BUY and symbol.position is None and symbol.entry is None:
            verdict = judge_entry(self.state, symbol, self._markets, outcome.votes)
            if isinstance(verdict, Approved):
                follow = self._enter(symbol, verdict)
        elif outcome.side is Side.SELL and symbol.position is not None:
            order, follow = exit_position(self.state, symbol, Reason.SIGNAL, outcome.votes)
            verdict = Approved(order) if follow else None
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
        notional = market.notional(fill.price, fill.amount)
        if fill.side is Side.BUY:
            votes = symbol.entry.votes if symbol.entry is not None else ()
            self.state.cash -= notional + fill.fee
            symbol.position = opened(fill, market, self.state.rules.limits, votes)
            symbol.entry = None
            return [FillBooked(fill), PositionOpened(copy(symbol.position))]
        if symbol.position is None:
            raise ValueError(f"fill {fill.id} sells {fill.symbol}, which is not held")
        self.state.cash += notional - fill.fee
        trade = closed(symbol.position, fill, market)
        symbol.position = symbol.exit = None
        if fill.reason is Reason.STOP:
            self._start_cooldown(symbol, fill.time_ms)
        return [FillBooked(fill), TradeClosed(trade)]

    def _start_cooldown(self, symbol: SymbolState, stopped_ms: int) -> None:
        """Refuse entries at the closes of the stop's candle and of the n - 1 after it."""
        timeframe = self.state.rules.timeframe_ms
        open_time_ms = stopped_ms - (stopped_ms - self.state.anchor_ms) % timeframe
        symbol.cooldown_until_ms = (
            open_time_ms + self.state.rules.limits.cooldown_candles_after_stop * timeframe
        )

    def _end(self, ending: Ending) -> list[AnyDecision]:
        symbol = self.state.symbols[ending.symbol]
        if symbol.entry is not None and symbol.entry.id == ending.order_id:
            symbol.entry = None
        elif symbol.exit is not None and symbol.exit.id == ending.order_id:
            symbol.exit = None
        return [OrderEnded(ending)]

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
