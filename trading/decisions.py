"""What the engine answers an event with: intents to send, and facts to store and show."""

from enum import StrEnum

from msgspec import Struct

from trading.ledger import Position, Trade
from trading.orders import Ending, Fill, Order
from trading.vote import Outcome


class Decision(Struct, frozen=True, tag=True):
    """The family; every decision names itself on the wire by its class."""


class Refusal(StrEnum):
    """Why an entry was refused, in the order in which it is tested (rulebook 4)."""

    PAUSED = "paused"
    KILLED = "killed"
    DAILY_LOSS = "daily_loss"
    STALE = "stale"
    UNRECONCILED = "unreconciled"
    COOLDOWN = "cooldown"
    MAX_OPEN_POSITIONS = "max_open_positions"
    MAX_EXPOSURE = "max_exposure"
    MAX_ORDERS_PER_MINUTE = "max_orders_per_minute"
    MIN_NOTIONAL = "min_notional"


class Approved(Struct, frozen=True, tag=True):
    """Risk's yes, with the order that may be sent."""

    order: Order


class Refused(Struct, frozen=True, tag=True):
    """Risk's no, with its reason and what was tested, in words."""

    reason: Refusal
    detail: str = ""


Verdict = Approved | Refused


class EquityMarked(Decision, frozen=True):
    """Equity and cash in quote units at the close of one open time; `held` when a position is open."""

    open_time_ms: int
    equity: int
    cash: int
    held: bool


class OutcomeDecided(Decision, frozen=True):
    """A vote's outcome and what came of it; without a verdict it changed nothing."""

    open_time_ms: int
    symbol: str
    outcome: Outcome
    verdict: Verdict | None = None


class OrderIntended(Decision, frozen=True):
    """An order to send, once this is stored."""

    order: Order


class CancelIntended(Decision, frozen=True):
    """An order at the exchange to cancel, once this is stored."""

    order_id: str
    symbol: str
    why: str


class OrderChanged(Decision, frozen=True):
    """An order at the exchange stands differently now."""

    order: Order


class OrderReasonRaised(Decision, frozen=True):
    """A waiting exit that now has a reason of higher precedence."""

    order: Order


class OrderEnded(Decision, frozen=True):
    """A waiting order ended without a fill."""

    ending: Ending


class FillBooked(Decision, frozen=True):
    """A fill entered the ledger."""

    fill: Fill


class PositionOpened(Decision, frozen=True):
    """An entry filled."""

    position: Position


class TradeClosed(Decision, frozen=True):
    """A position is history."""

    trade: Trade


class DayClosed(Decision, frozen=True):
    """A UTC day ended at this close; its equity is the next day's base."""

    close_ms: int
    base: int
    equity: int


class Level(StrEnum):
    """How loud a notice is."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class Noticed(Decision, frozen=True):
    """Something the operator should know."""

    level: Level
    code: str
    text: str


AnyDecision = (
    EquityMarked
    | OutcomeDecided
    | OrderIntended
    | CancelIntended
    | OrderChanged
    | OrderReasonRaised
    | OrderEnded
    | FillBooked
    | PositionOpened
    | TradeClosed
    | DayClosed
    | Noticed
)
