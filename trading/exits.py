"""Exits: never refused, never blocked; one waiting exit a symbol (rulebook 4)."""

from msgspec.structs import replace

from trading.decisions import AnyDecision, CancelIntended, OrderEnded, OrderIntended, OrderReasonRaised
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
    nothing when an exit of at least this precedence waits already, and at an exchange, where the exit goes
    out when the outcome of what it cancels is known (`trading.desk`).
    """
    if symbol.position is None:
        raise ValueError(f"{symbol.symbol} has no position to exit")
    waiting = symbol.exit
    if waiting is None:
        live = symbol.live if state.rules.on_exchange else None
        symbol.exit = Order(
            id=order_id(state.open_time_ms, symbol.symbol, "exit", live.next_number() if live else 1),
            symbol=symbol.symbol,
            side=Side.SELL,
            amount=symbol.position.amount,
            reason=reason,
            decided_ms=state.open_time_ms + state.rules.timeframe_ms,
            votes=votes,
            held_back=live is not None,
        )
        return symbol.exit, [] if live else [OrderIntended(symbol.exit)]
    if PRECEDENCE[reason] < PRECEDENCE[waiting.reason]:
        symbol.exit = replace(waiting, reason=reason)
        return symbol.exit, [] if waiting.held_back else [OrderReasonRaised(symbol.exit)]
    return waiting, []


def _cancel_entry(state: EngineState, symbol: SymbolState, entry: Order, reason: Reason) -> list[AnyDecision]:
    if not state.rules.on_exchange:
        symbol.entry = None
        return [OrderEnded(Ending(entry.id, symbol.symbol, OrderState.CANCELLED, reason))]
    if entry.cancelling:
        return []
    symbol.entry = replace(entry, cancelling=reason.value)
    return [CancelIntended(entry.id, symbol.symbol, reason.value)]


def flatten(state: EngineState, reason: Reason) -> list[AnyDecision]:
    """Cancel every waiting entry and sell every position."""
    return [
        decision for symbol in state.symbols.values() for decision in flatten_symbol(state, symbol, reason)
    ]


def flatten_symbol(state: EngineState, symbol: SymbolState, reason: Reason) -> list[AnyDecision]:
    """Cancel the symbol's waiting entry and sell its position."""
    decisions: list[AnyDecision] = []
    if symbol.entry is not None:
        decisions += _cancel_entry(state, symbol, symbol.entry, reason)
    if symbol.position is not None:
        decisions += exit_position(state, symbol, reason)[1]
    return decisions


def start_cooldown(state: EngineState, symbol: SymbolState, stopped_ms: int) -> None:
    """Refuse entries at the closes of the stop's candle and of the n - 1 after it."""
    timeframe = state.rules.timeframe_ms
    open_time_ms = stopped_ms - (stopped_ms - state.anchor_ms) % timeframe
    symbol.cooldown_until_ms = open_time_ms + state.rules.limits.cooldown_candles_after_stop * timeframe
