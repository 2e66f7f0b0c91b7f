"""Words, symbols and tones for the enums of the wire: each state reads without colour."""

from typing import NamedTuple

from autotrader.v1 import (
    access_pb2,
    common_pb2,
    decision_pb2,
    engine_pb2,
    log_pb2,
    portfolio_pb2,
    run_pb2,
)
from tui import text


class Word(NamedTuple):
    """A symbol of one cell, a word, and a tone of `tui.paint`."""

    symbol: str
    word: str
    tone: str

    def __str__(self) -> str:
        return f"{self.symbol} {self.word}"


UNKNOWN = Word("?", "-", "dim")

MODES = {
    engine_pb2.TRADING_MODE_SIMULATED: "SIMULATED",
    engine_pb2.TRADING_MODE_PAPER: "PAPER",
    engine_pb2.TRADING_MODE_LIVE: "LIVE",
    engine_pb2.TRADING_MODE_REPLAY: "REPLAY",
}
STATES = {
    engine_pb2.ENGINE_STATE_STARTING: Word("…", "STARTING", "warn"),
    engine_pb2.ENGINE_STATE_RUNNING: Word("▶", "RUNNING", "good"),
    engine_pb2.ENGINE_STATE_PAUSED: Word("‖", "PAUSED", "warn"),
    engine_pb2.ENGINE_STATE_KILLING: Word("✖", "KILLING", "loud"),
    engine_pb2.ENGINE_STATE_KILLED: Word("✖", "KILLED", "loud"),
    engine_pb2.ENGINE_STATE_FINISHED: Word("■", "FINISHED", "accent"),
    engine_pb2.ENGINE_STATE_FAILED: Word("✖", "FAILED", "loud"),
}
HEALTHS = {
    engine_pb2.HEALTH_OK: Word("●", "ok", "good"),
    engine_pb2.HEALTH_DEGRADED: Word("▲", "degraded", "warn"),
    engine_pb2.HEALTH_LOST: Word("✖", "lost", "bad"),
}
SIDES = {
    common_pb2.SIDE_BUY: Word("▲", "BUY", "good"),
    common_pb2.SIDE_SELL: Word("▼", "SELL", "bad"),
    common_pb2.SIDE_HOLD: Word("·", "HOLD", "dim"),
}
ORDER_STATES = {
    portfolio_pb2.ORDER_STATE_OPEN: Word("…", "open", "warn"),
    portfolio_pb2.ORDER_STATE_FILLED: Word("✔", "filled", "good"),
    portfolio_pb2.ORDER_STATE_CANCELLED: Word("-", "cancelled", "dim"),
    portfolio_pb2.ORDER_STATE_REFUSED: Word("✖", "refused", "bad"),
    portfolio_pb2.ORDER_STATE_EXPIRED: Word("-", "expired", "dim"),
    portfolio_pb2.ORDER_STATE_PARTLY_FILLED: Word("◐", "partly filled", "warn"),
    portfolio_pb2.ORDER_STATE_UNKNOWN: Word("?", "unknown", "bad"),
}
# Orders that are not final.
ALIVE = (
    portfolio_pb2.ORDER_STATE_OPEN,
    portfolio_pb2.ORDER_STATE_PARTLY_FILLED,
    portfolio_pb2.ORDER_STATE_UNKNOWN,
)
PROTECTIONS = {
    portfolio_pb2.PROTECTION_NONE: "no stop is set",
    portfolio_pb2.PROTECTION_ENGINE: "stop by the engine",
    portfolio_pb2.PROTECTION_EXCHANGE: "stop on the exchange",
    portfolio_pb2.PROTECTION_MISSING: "STOP MISSING",
}
DECISION_KINDS = {
    decision_pb2.DECISION_KIND_APPROVED: Word("✔", "approved", "good"),
    decision_pb2.DECISION_KIND_REFUSED: Word("✖", "refused", "bad"),
    decision_pb2.DECISION_KIND_UNCHANGED: Word("·", "unchanged", "dim"),
}
LOG_LEVELS = {
    log_pb2.LOG_LEVEL_INFO: Word("·", "info", ""),
    log_pb2.LOG_LEVEL_WARNING: Word("▲", "warning", "warn"),
    log_pb2.LOG_LEVEL_ALARM: Word("✖", "ALARM", "loud"),
}
RUN_KINDS = {run_pb2.RUN_KIND_BACKTEST: "backtest", run_pb2.RUN_KIND_SWEEP: "sweep"}
RUN_STATES = {
    run_pb2.RUN_STATE_QUEUED: Word("…", "queued", "dim"),
    run_pb2.RUN_STATE_RUNNING: Word("▶", "running", "accent"),
    run_pb2.RUN_STATE_DONE: Word("✔", "done", "good"),
    run_pb2.RUN_STATE_FAILED: Word("✖", "failed", "bad"),
    run_pb2.RUN_STATE_CANCELLED: Word("-", "cancelled", "dim"),
}
ROLES = {
    access_pb2.ROLE_VIEWER: "viewer",
    access_pb2.ROLE_OPERATOR: "operator",
    access_pb2.ROLE_ADMIN: "admin",
}


def mode_words(status: engine_pb2.EngineStatus) -> str:
    """Where orders go, and at which exchange: "LIVE binanceus"."""
    return f"{MODES.get(status.mode, 'UNKNOWN')} {text.visible(status.exchange)}".rstrip()


def protection_words(position: portfolio_pb2.Position) -> str:
    """Who watches over a position's stop, and since when nobody does; "" when that is not told."""
    words = PROTECTIONS.get(position.protection, "")
    if position.protection == portfolio_pb2.PROTECTION_MISSING:
        return f"{words} since {text.second(position.unprotected_since)[11:]}"
    return words


def order_state(order: portfolio_pb2.Order) -> Word:
    """Where an order stands; one that is being cancelled says so."""
    state = ORDER_STATES.get(order.state, UNKNOWN)
    if order.cancelling and order.state in ALIVE:
        return Word(state.symbol, "cancelling", "warn")
    return state


def order_amount(order: portfolio_pb2.Order) -> str:
    """How much; of a part that was filled how much of how much."""
    amount = text.number(order.amount_base)
    part = text.decimal(order.filled_base)
    if not part or part == text.decimal(order.amount_base):
        return amount
    return f"{text.number(order.filled_base)} of {amount}"


def order_price(order: portfolio_pb2.Order) -> str:
    """The price of its newest fill, else the one that it waits for, else the one it was sized at."""
    if order.fills:
        return order.fills[-1].price_quote
    return order.trigger_quote or order.limit_quote or order.sizing_price_quote


def paid_words(fill: portfolio_pb2.Fill) -> str:
    """The fee in what it was paid in, where that is another currency; "" else."""
    if not fill.fee_currency or fill.symbol.endswith(f"/{fill.fee_currency}"):
        return ""
    return f"{text.number(fill.fee_paid)} {fill.fee_currency}"


def external_words(status: engine_pb2.EngineStatus) -> str:
    """What the account holds beside the engine's."""
    return ", ".join(f"{text.number(each.amount)} {each.currency}" for each in status.external)
