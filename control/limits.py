"""The limits as an operator sees them: what each does, how much is used, and which change loosens one."""

from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from typing import NamedTuple

from autotrader.v1 import risk_pb2
from control.rows import decimal_text
from trading.entries import committed
from trading.settings import RiskSettings
from trading.state import EngineState

MINUTE_MS = 60_000
HUNDRED = Decimal(100)
SHOWN = Decimal("0.000001")

# 0 turns these off: no stop, no target, no drawdown limit.
ZERO_IS_OFF = frozenset(
    {"stop_loss_percent", "trailing_stop_percent", "take_profit_percent", "max_drawdown_percent"}
)
# A smaller value lets more through.
LOOSER_WHEN_SMALLER = frozenset({"cooldown_candles_after_stop"})
# Neither direction is looser: these protect nothing.
NEITHER = frozenset({"take_profit_percent", "stop_limit_offset_percent", "min_order_notional_quote"})


class Use(NamedTuple):
    """How much of a limit is used: in its own unit, and of how much."""

    used: Decimal
    limit: Decimal


def limit_messages(
    risk: RiskSettings, changed: Collection[str], state: EngineState
) -> Iterator[risk_pb2.Limit]:
    """Every limit, in the order of the settings; `changed` are those changed at run time."""
    for name, field in RiskSettings.model_fields.items():
        value = getattr(risk, name)
        off = name in ZERO_IS_OFF and not value
        message = risk_pb2.Limit(
            name=name,
            value="" if value is None else decimal_text(Decimal(value)),
            summary=(field.description or "").partition(" [")[0],
            changed=f"risk.{name}" in changed,
            off=off,
        )
        use = None if off or name not in _USES else _USES[name](risk, state)
        if use is not None:
            message.used = decimal_text(use.used.quantize(SHOWN).normalize() + 0)
            if use.limit:
                message.used_percent = float(HUNDRED * use.used / use.limit)
        yield message


def is_looser(name: str, before: Decimal | int | None, after: Decimal | int | None) -> bool:
    """Whether a limit lets more through than before."""
    if before == after or name in NEITHER:
        return False
    if before is None or after is None:
        return True  # None is derived from the timeframe: which of the two is longer is not known here.
    if name in ZERO_IS_OFF and 0 in (before, after):
        return after == 0
    return after < before if name in LOOSER_WHEN_SMALLER else after > before


def _lost(base: int, state: EngineState) -> Decimal:
    return HUNDRED * max(0, base - state.equity) / base if base > 0 else Decimal(0)


def _daily(risk: RiskSettings, state: EngineState) -> Use:
    return Use(_lost(state.day_base, state), Decimal(risk.daily_loss_limit_percent))


def _kill(risk: RiskSettings, state: EngineState) -> Use:
    return Use(_lost(state.reference, state), Decimal(risk.kill_switch_percent))


def _drawdown(risk: RiskSettings, state: EngineState) -> Use:
    return Use(_lost(state.peak, state), Decimal(risk.max_drawdown_percent))


def _exposure(risk: RiskSettings, state: EngineState) -> Use:
    _, worth = committed(state, {market.symbol: market for market in state.rules.markets})
    percent = HUNDRED * worth / state.equity if state.equity > 0 else Decimal(0)
    return Use(Decimal(percent), Decimal(risk.max_exposure_percent))


def _positions(risk: RiskSettings, state: EngineState) -> Use:
    count, _ = committed(state, {market.symbol: market for market in state.rules.markets})
    return Use(Decimal(count), Decimal(risk.max_open_positions))


def _orders(risk: RiskSettings, state: EngineState) -> Use:
    close_ms = state.open_time_ms + state.rules.timeframe_ms
    sent = sum(1 for each in state.entries_ms if each > close_ms - MINUTE_MS)
    return Use(Decimal(sent), Decimal(risk.max_orders_per_minute))


_USES: dict[str, Callable[[RiskSettings, EngineState], Use]] = {
    "daily_loss_limit_percent": _daily,
    "kill_switch_percent": _kill,
    "max_drawdown_percent": _drawdown,
    "max_exposure_percent": _exposure,
    "max_open_positions": _positions,
    "max_orders_per_minute": _orders,
}
