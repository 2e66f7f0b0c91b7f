"""What an operator can do to the account: one small function a command (rulebook 6).

Each returns the decisions that follow; a command that cannot be done raises InputError and changes
nothing.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from trading.decisions import AnyDecision, Level, Noticed
from trading.errors import InputError, suggestion
from trading.events import (
    AddStrategy,
    ChangeLimits,
    ChangeRules,
    ChangeStrategy,
    CloseAll,
    ClosePosition,
    Command,
    Kill,
    Pause,
    RemoveStrategy,
    ResetKill,
    Resume,
)
from trading.exits import flatten, flatten_symbol
from trading.orders import Reason
from trading.rules import Rules, Seat
from trading.signals import MILLIONTHS
from trading.state import EngineState
from trading.switches import throw_kill_switch


def _done(command: Command, text: str) -> Noticed:
    return Noticed(Level.INFO, type(command).__name__, f"{text} (by {command.by})")


def _pause(state: EngineState, command: Pause) -> list[AnyDecision]:
    state.paused = True
    return [_done(command, "paused: no entries; exits and stops go on")]


def _resume(state: EngineState, command: Resume) -> list[AnyDecision]:
    state.paused = False
    for symbol in state.symbols.values():
        if symbol.live is not None:
            symbol.live.blocked = ""
    return [_done(command, "resumed")]


def _close_all(state: EngineState, command: CloseAll) -> list[AnyDecision]:
    sold = flatten(state, Reason.CLOSE_ALL)
    return [_done(command, "closing every position"), *sold]


def _close_position(state: EngineState, command: ClosePosition) -> list[AnyDecision]:
    symbol = state.symbols.get(command.symbol)
    if symbol is None:
        raise InputError(
            f"symbol: {command.symbol!r} is not traded; {suggestion(command.symbol, state.symbols)}"
        )
    if symbol.position is None and symbol.entry is None:
        raise InputError(f"symbol: {command.symbol!r} has neither a position nor a waiting order to close")
    sold = flatten_symbol(state, symbol, Reason.CLOSE_ALL)
    return [_done(command, f"closing {command.symbol}"), *sold]


def _kill(state: EngineState, command: Kill) -> list[AnyDecision]:
    return throw_kill_switch(state, f"{command.why} (by {command.by})")


def _reset_kill(state: EngineState, command: ResetKill) -> list[AnyDecision]:
    if not state.killed:
        raise InputError("the kill switch is not thrown: there is nothing to reset")
    if not state.flat() or (state.rules.on_exchange and not state.verified_flat):
        raise InputError("the kill switch is still selling: it can be reset when nothing is held any more")
    if not command.why.strip():
        raise InputError("why: a reset of the kill switch needs a reason")
    state.killed = ""
    state.verified_flat = False
    state.reference = state.peak = state.cash  # flat: cash is the equity, also before the next mark
    state.warned -= {"kill_switch", "max_drawdown"}
    return [_done(command, f"the kill switch is reset: {command.why}")]


def _change_limits(state: EngineState, command: ChangeLimits) -> list[AnyDecision]:
    state.rules = replace(state.rules, limits=command.limits)
    return [_done(command, "limits changed")]


def _change_rules(state: EngineState, command: ChangeRules) -> list[AnyDecision]:
    kept, new = state.rules, command.rules
    if kept.live is not None and _counted_in(kept) == _counted_in(new):
        new = replace(new, markets=kept.markets)  # what the exchange says of them now, not at the first start
    fixed = ("quote", "quote_decimals", "initial_capital", "timeframe_ms", "markets")
    for field in fixed:
        if getattr(kept, field) != getattr(new, field):
            raise InputError(f"{field}: it cannot change within a run")
    state.rules = new
    _forget_absent(state)
    return [_done(command, "settings changed")]


def _counted_in(rules: Rules) -> list[tuple[str, Decimal, Decimal]]:
    return [(market.symbol, market.tick, market.lot) for market in rules.markets]


def _add_strategy(state: EngineState, command: AddStrategy) -> list[AnyDecision]:
    if any(seat.name == command.seat.name for seat in state.rules.seats):
        raise InputError(f"name: a strategy {command.seat.name!r} exists already")
    _check_weight(command.seat.weight)
    _seat_all(state, (*state.rules.seats, command.seat))
    return [_done(command, f"strategy {command.seat.name} added")]


def _remove_strategy(state: EngineState, command: RemoveStrategy) -> list[AnyDecision]:
    gone = _seat(state, command.name)
    _seat_all(state, tuple(seat for seat in state.rules.seats if seat is not gone))
    _forget_absent(state)
    return [_done(command, f"strategy {command.name} removed")]


def _change_strategy(state: EngineState, command: ChangeStrategy) -> list[AnyDecision]:
    seat = _seat(state, command.name)
    if command.weight is not None:
        _check_weight(command.weight)
    changed = replace(
        seat,
        enabled=seat.enabled if command.enabled is None else command.enabled,
        weight=seat.weight if command.weight is None else command.weight,
    )
    seats = state.rules.seats
    _seat_all(state, tuple(changed if each is seat else each for each in seats))
    return [_done(command, f"strategy {command.name} changed")]


def _seat(state: EngineState, name: str) -> Seat:
    seats = {seat.name: seat for seat in state.rules.seats}
    if name not in seats:
        raise InputError(f"name: there is no strategy {name!r}; {suggestion(name, seats)}")
    return seats[name]


def _check_weight(millionths: int) -> None:
    if millionths < 0:
        raise InputError(f"weight: {millionths / MILLIONTHS:g} is negative; at least 0 is allowed")


def _seat_all(state: EngineState, seats: tuple[Seat, ...]) -> None:
    state.rules = replace(state.rules, seats=seats)


def _forget_absent(state: EngineState) -> None:
    """Drop the signals of strategies that have no seat any more."""
    names = {seat.name for seat in state.rules.seats}
    for symbol in state.symbols.values():
        symbol.signals = {name: said for name, said in symbol.signals.items() if name in names}


COMMANDS: dict[type[Command], Callable[[EngineState, Any], list[AnyDecision]]] = {
    Pause: _pause,
    Resume: _resume,
    CloseAll: _close_all,
    ClosePosition: _close_position,
    Kill: _kill,
    ResetKill: _reset_kill,
    ChangeLimits: _change_limits,
    ChangeRules: _change_rules,
    AddStrategy: _add_strategy,
    RemoveStrategy: _remove_strategy,
    ChangeStrategy: _change_strategy,
}
