"""What the console knows: the newest of each topic, as the stream tells it."""

from dataclasses import dataclass, field

from autotrader.v1 import engine_pb2, event_pb2, portfolio_pb2, risk_pb2, run_pb2, session_pb2
from tui import text

# Names of what may have changed; the kinds of Event, and what is read beside the stream.
ALL = frozenset(
    (
        "status",
        "positions",
        "order",
        "trade",
        "decision",
        "candle",
        "log_entry",
        "run",
        "limits",
        "equity",
        "link",
    )
)
EQUITY_POINTS = 400


@dataclass
class Facts:
    """The newest facts. `changed` collects their names until the screen has been drawn again.

    `lost` is why the engine is away, "" while it is there; `lost_at` since when (seconds since 1970), 0
    before the first answer or failure.
    """

    caller: session_pb2.Caller = field(default_factory=session_pb2.Caller)
    status: engine_pb2.EngineStatus | None = None
    positions: list[portfolio_pb2.Position] = field(default_factory=list)
    limits: list[risk_pb2.Limit] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    runs: dict[str, run_pb2.Run] = field(default_factory=dict)
    lost: str = "connecting"
    lost_at: float = 0.0
    changed: set[str] = field(default_factory=set)

    @property
    def symbols(self) -> list[str]:
        """The traded symbols in the order of the settings."""
        return [row.symbol for row in self.status.symbols] if self.status else []

    @property
    def connecting(self) -> bool:
        """Whether the engine was asked for the first time, and has not answered yet."""
        return bool(self.lost) and not self.lost_at

    @property
    def paused(self) -> bool:
        """Whether entries wait for an operator."""
        return self.status is not None and self.status.state == engine_pb2.ENGINE_STATE_PAUSED

    def take(self, message: event_pb2.SubscribeResponse) -> None:
        """Take one message of the stream; one that had to skip makes every list doubtful."""
        if message.skipped:
            self.changed |= ALL
        for event in message.events:
            self._take_event(event)

    def _take_event(self, event: event_pb2.Event) -> None:
        kind = event.WhichOneof("kind")
        if kind is None:
            return
        if kind == "status":
            self._take_status(event.status)
        elif kind == "positions":
            self.positions = list(event.positions.positions)
        elif kind == "run":
            self.runs[event.run.id] = event.run
        self.changed.add(kind)

    def _take_status(self, status: engine_pb2.EngineStatus) -> None:
        before, self.status = self.status, status
        if before is None or before.run_id != status.run_id:
            self.equity = []
            self.changed.add("equity")
        value = text.decimal(status.equity_quote)
        if value is not None and before is not None and before.open_time != status.open_time:
            self.equity = [*self.equity[1 - EQUITY_POINTS :], float(value)]
