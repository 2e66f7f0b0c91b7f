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
