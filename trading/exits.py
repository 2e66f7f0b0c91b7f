"""Exits: never refused, never blocked; one waiting exit a symbol (rulebook 4)."""

from msgspec.structs import replace

from trading.decisions import AnyDecision, OrderEnded, OrderIntended, OrderReasonRaised
from trading.orders import PRECEDENCE, Ending, Order, OrderState, Reason, order_id
from trading.signals import Side
from trading.state import EngineState, SymbolState
from trading.vote import Vote


def exit_position(
    state: EngineState,
    symbol: SymbolState,
    reason: Reason,
    votes: tuple[Vote, ...] = (),
) -> tuple[Order, list[AnyDecision]]:
    """Make the symbol's waiting exit, or raise the reason of the one that waits.

    The symbol must have a position. Returns the waiting exit and what was decided, which is
    nothing when an exit of at least this precedence waits already.
    """
    if symbol.position is None:
        raise ValueError(f"{symbol.symbol} has no position to exit")
    waiting = symbol.exit
    if waiting is None:
        symbol.exit = Order(
            id=order_id(state.open_time_ms, symbol.symbol, "exit"),
            symbol=symbol.symbol,
            side=Side.SELL,
            amount=symbol.position.amount,
            reason=reason,
            decided_ms=state.open_time_ms + state.rules.timeframe_ms,
            votes=votes,
        )
        return symbol.exit, [OrderIntended(symbol.exit)]
    if PRECEDENCE[reason] < PRECEDENCE[waiting.reason]:
        symbol.exit = replace(waiting, reason=reason)
        return symbol.exit, [OrderReasonRaised(symbol.exit)]
    return waiting, []


def flatten(state: EngineState, reason: Reason) -> list[AnyDecision]:
    """Cancel every waiting entry and sell every position."""
    return [
        decision for symbol in state.symbols.values() for decision in flatten_symbol(state, symbol, reason)
    ]


def flatten_symbol(state: EngineState, symbol: SymbolState, reason: Reason) -> list[AnyDecision]:
    """Cancel the symbol's waiting entry and sell its position."""
    decisions: list[AnyDecision] = []
    if symbol.entry is not None:
        ending = Ending(symbol.entry.id, symbol.symbol, OrderState.CANCELLED, reason)
        symbol.entry = None
        decisions.append(OrderEnded(ending))
    if symbol.position is not None:
        decisions += exit_position(state, symbol, reason)[1]
    return decisions
