"""The day's loss limit and the kill switch (rulebook 6)."""

from trading.decisions import AnyDecision, DayClosed, Level, Noticed
from trading.exits import flatten
from trading.orders import Reason
from trading.rules import WHOLE
from trading.state import EngineState
from trading.timeframe import midnight_after

WARN_AT_PERCENT = 80


def kill_reason(state: EngineState) -> str:
    """Why the kill switch must be thrown at this mark, or an empty text. Moves the peak."""
    state.peak = max(state.peak, state.equity)
    limits = state.rules.limits
    if _fell(state.reference, state.equity, limits.kill_switch_percent):
        return "loss since the reference"
    if limits.max_drawdown_percent and _fell(state.peak, state.equity, limits.max_drawdown_percent):
        return "drawdown from the peak"
    return ""


def throw_kill_switch(state: EngineState, why: str) -> list[AnyDecision]:
    """Throw the switch: it stays thrown until it is reset, and sells everything."""
    if state.killed:
        return []
    state.killed = why
    notice = Noticed(Level.ALARM, "kill_switch", f"the kill switch is thrown: {why}")
    sold = flatten(state, Reason.KILL_SWITCH)
    state.verified_flat = state.flat() and not state.rules.on_exchange
    return [notice, *sold]


def roll_day(state: EngineState, close_ms: int) -> DayClosed:
    """End the day at this close, at or after its midnight: new base, block lifted."""
    ended = DayClosed(close_ms, state.day_base, state.equity)
    state.day_base = state.equity
    state.day_blocked = False
    state.day_end_ms = midnight_after(close_ms)
    state.warned = {code for code in state.warned if code in ("kill_switch", "max_drawdown")}
    return ended


def block_on_day_loss(state: EngineState) -> bool:
    """Block entries when the day's loss reached its limit; whether it did so now."""
    if state.day_blocked or not _fell(
        state.day_base, state.equity, state.rules.limits.daily_loss_limit_percent
    ):
        return False
    state.day_blocked = True
    return True


def loss_warnings(state: EngineState) -> list[Noticed]:
    """A notice for each loss limit of which 80 % is used, once (a day, or until the switch is reset)."""
    limits, equity = state.rules.limits, state.equity
    lost = (
        ("kill_switch", state.reference, limits.kill_switch_percent),
        ("max_drawdown", state.peak, limits.max_drawdown_percent),
        ("daily_loss", state.day_base, limits.daily_loss_limit_percent),
    )
    return [
        notice
        for code, base, limit in lost
        if limit and base > equity
        for notice in _warn(state, code, (base - equity) * WHOLE, limit * base)
    ]


def room_warnings(state: EngineState, count: int, worth: int) -> list[Noticed]:
    """The same for the number of positions and the exposure, after an entry was approved."""
    limits = state.rules.limits
    return [
        *_warn(state, "max_open_positions", count, limits.max_open_positions),
        *_warn(state, "max_exposure", worth * WHOLE, limits.max_exposure_percent * state.equity),
        *_warn(state, "max_orders_per_minute", len(state.entries_ms), limits.max_orders_per_minute),
    ]


def _warn(state: EngineState, code: str, used: int, limit: int) -> list[Noticed]:
    if code in state.warned or used * 100 < limit * WARN_AT_PERCENT:
        return []
    state.warned.add(code)
    return [Noticed(Level.WARNING, code, f"{WARN_AT_PERCENT} % of the limit {code} is used")]


def _fell(base: int, equity: int, percent: int) -> bool:
    """Whether (base - equity) / base >= percent, exactly."""
    return (base - equity) * WHOLE >= percent * base
