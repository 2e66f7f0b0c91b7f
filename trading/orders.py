"""Orders, their states, and the fills that end them (rulebook 4 and 5)."""

from enum import StrEnum

from msgspec import Struct

from trading.signals import Side
from trading.vote import Vote


class OrderState(StrEnum):
    """Where an order stands; the last four are final."""

    WAITING = "waiting"
    OPEN = "open"
    PARTLY_FILLED = "partly_filled"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"


FINAL = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REFUSED, OrderState.EXPIRED})


class OrderKind(StrEnum):
    """How an order meets the market; a stop sleeps until its trigger price trades."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class Reason(StrEnum):
    """Why an order exists. Exits stand first to last in their order of precedence."""

    KILL_SWITCH = "kill_switch"
    CLOSE_ALL = "close_all"
    STOP = "stop"
    TAKE_PROFIT = "take_profit"
    SIGNAL = "signal"


PRECEDENCE = {
    Reason.KILL_SWITCH: 0,
    Reason.CLOSE_ALL: 1,
    Reason.STOP: 2,
    Reason.TAKE_PROFIT: 2,
    Reason.SIGNAL: 3,
}


class Order(Struct, frozen=True, omit_defaults=True):
    """The intention to trade, stored before it is sent.

    `id` is derived from the decision; `decided_ms` is the close at which it was taken; an entry
    carries its sizing price in ticks, the quote units it keeps reserved, and the votes behind it.

    On an exchange: `trigger` and `limit` are a stop's prices in ticks, `filled` how much was executed so far,
    `exchange_id` the exchange's own name for it. `held_back`: an exit that waits for the outcome of what it
    cancelled; its amount is decided when it goes out. `cancelling` says why it is being cancelled.
    """

    id: str
    symbol: str
    side: Side
    amount: int
    reason: Reason
    decided_ms: int
    sizing_price: int = 0
    reserved: int = 0
    votes: tuple[Vote, ...] = ()
    kind: OrderKind = OrderKind.MARKET
    trigger: int = 0
    limit: int = 0
    state: OrderState = OrderState.WAITING
    filled: int = 0
    exchange_id: str = ""
    held_back: bool = False
    cancelling: str = ""


class Fill(Struct, frozen=True, omit_defaults=True):
    """An execution: price in ticks, amount in lots, fee in quote units, at a candle's open time (live: at
    the exchange's time).

    `fee_base` is the part of the fee that was taken in base, in lots; `fee` counts its worth too.
    `fee_currency` and `fee_paid` keep what the exchange charged, in words; empty for a simulated fill.
    """

    id: str
    order_id: str
    symbol: str
    side: Side
    amount: int
    price: int
    fee: int
    time_ms: int
    reason: Reason
    fee_base: int = 0
    fee_currency: str = ""
    fee_paid: str = ""


class Ending(Struct, frozen=True):
    """A waiting order that ended without a fill, and why."""

    order_id: str
    symbol: str
    state: OrderState
    why: str


def order_id(open_time_ms: int, symbol: str, what: str, attempt: int = 1) -> str:
    """The id of the order that a decision at this candle makes: `1502942400-BTC-USDT-entry`, and
    `1502942400-BTC-USDT-exit-2` for what is tried again."""
    number = f"-{attempt}" if attempt > 1 else ""
    return f"{open_time_ms // 1000}-{symbol.replace('/', '-')}-{what}{number}"
