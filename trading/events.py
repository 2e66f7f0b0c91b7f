"""What happens to the engine: facts in the past tense, commands in the imperative.

The set is closed. An event carries all that its handling needs, so that a stored sequence of
events, handled again, gives the same decisions.
"""

from decimal import Decimal

from msgspec import Struct

from trading.candles import Candle, Holes
from trading.market import MarketUnits
from trading.orders import Ending, Fill, OrderState
from trading.rules import Limits, Rules, Seat
from trading.signals import Signal


class Event(Struct, frozen=True, tag=True):
    """The family; every event names itself on the wire by its class."""


class RunStarted(Event, frozen=True):
    """A run begins: its rules, its anchor, the open time of its first candle in range, and the holes
    before."""

    rules: Rules
    anchor_ms: int
    first_open_ms: int
    holes: dict[str, Holes] = {}


class CandlesClosed(Event, frozen=True):
    """One open time closed, with the candle of every symbol that has one."""

    open_time_ms: int
    candles: tuple[Candle, ...]


class Abstention(Struct, frozen=True, array_like=True):
    """A strategy that gave no signal for a symbol, and why (late, raised, died, warming up)."""

    strategy: str
    symbol: str
    why: str


class Price(Struct, frozen=True, array_like=True):
    """A symbol's best prices in ticks, and when they were observed (0: when the event says)."""

    symbol: str
    bid: int
    ask: int
    time_ms: int = 0


class SignalsCollected(Event, frozen=True, omit_defaults=True):
    """All that the strategies said of one open time before nobody waited any longer.

    Live also when that was, by the exchange's clock, and the prices that were fresh then.
    """

    open_time_ms: int
    signals: tuple[Signal, ...]
    abstentions: tuple[Abstention, ...] = ()
    taken_ms: int = 0
    prices: tuple[Price, ...] = ()


class PricesSeen(Event, frozen=True):
    """Live: time has passed, and these prices stand now."""

    time_ms: int
    prices: tuple[Price, ...] = ()


class OrderReported(Event, frozen=True):
    """Live: all that the exchange says of one order; a report replaces every earlier one of the order.

    `fills` are its fills so far, each booked once; `filled` lots were executed in all.
    """

    time_ms: int
    order_id: str
    symbol: str
    state: OrderState
    exchange_id: str = ""
    filled: int = 0
    fills: tuple[Fill, ...] = ()
    why: str = ""


class EngineResumed(Event, frozen=True):
    """Live: the engine was started (again): what the exchange did meanwhile is not known yet."""

    time_ms: int


class AccountCompared(Event, frozen=True):
    """Live: the account at the exchange was compared with the ledger, while nothing of ours was on its way.

    `differences` are what the account holds more (or less) of a currency than ledger and external holdings
    explain; `manual` says what the owner did by hand since; `problem` is why the books are not in order in
    any other way, or is empty. `open_orders` is how many orders of ours the exchange has open, `late` the ids
    of those that were given up because it did not know them.
    """

    time_ms: int
    differences: dict[str, Decimal] = {}
    manual: tuple[str, ...] = ()
    problem: str = ""
    open_orders: int = 0
    late: tuple[str, ...] = ()


class MarketsChanged(Event, frozen=True):
    """Live: the exchange changed its rules for markets of ours; what is counted in stays."""

    time_ms: int
    markets: tuple[MarketUnits, ...]


class VenueReported(Event, frozen=True):
    """What a venue did with our orders: fills and endings, in order."""

    time_ms: int
    fills: tuple[Fill, ...] = ()
    endings: tuple[Ending, ...] = ()


class Command(Event, frozen=True, kw_only=True):
    """An operator's act: `request_id` makes it happen once, `by` says who, `time_ms` when."""

    request_id: str
    by: str
    time_ms: int


class Pause(Command, frozen=True):
    """Take no entries; exits and stops go on."""


class Resume(Command, frozen=True):
    """Take entries again."""


class CloseAll(Command, frozen=True):
    """Cancel waiting entries and sell every position at market."""


class ClosePosition(Command, frozen=True):
    """Sell one symbol's position at market."""

    symbol: str


class Kill(Command, frozen=True):
    """Throw the kill switch."""

    why: str = "operator"


class ResetKill(Command, frozen=True):
    """Lift the kill switch; the equity of this moment is the new reference and peak."""

    why: str


class ChangeLimits(Command, frozen=True):
    """Put new limits in force."""

    limits: Limits


class ChangeRules(Command, frozen=True):
    """Put the rules of the present settings in force; markets, capital and timeframe stay."""

    rules: Rules


class AddStrategy(Command, frozen=True):
    """Give a strategy a seat."""

    seat: Seat


class RemoveStrategy(Command, frozen=True):
    """Take a strategy's seat away."""

    name: str


class ChangeStrategy(Command, frozen=True):
    """Enable, disable or reweigh a strategy; what is None stays as it is."""

    name: str
    enabled: bool | None = None
    weight: int | None = None


AnyEvent = (
    RunStarted
    | CandlesClosed
    | SignalsCollected
    | VenueReported
    | PricesSeen
    | OrderReported
    | EngineResumed
    | AccountCompared
    | MarketsChanged
    | Pause
    | Resume
    | CloseAll
    | ClosePosition
    | Kill
    | ResetKill
    | ChangeLimits
    | ChangeRules
    | AddStrategy
    | RemoveStrategy
    | ChangeStrategy
)
