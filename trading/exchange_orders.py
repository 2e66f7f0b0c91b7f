"""Orders as an exchange takes and tells them: exact decimals, and the three ways in which an answer can come.

Whoever asked an exchange for something knows afterwards that it was done (`Stands`), that it was not
(`Refused`, `Absent`), or neither (`Unknown`): then it asks again, and never sends again (rulebook 7).
"""

from decimal import Decimal

from msgspec import Struct

from trading.orders import OrderKind, OrderState
from trading.signals import Side


class Placement(Struct, frozen=True):
    """An order to send: amount in base, prices in quote.

    `trigger` is the price at which a stop becomes active, `limit` the worst price of a limit order, or of a
    stop where the exchange has no other form.
    """

    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    amount: Decimal
    trigger: Decimal | None = None
    limit: Decimal | None = None


class Execution(Struct, frozen=True):
    """A fill as the exchange reports it; `fee` is in `fee_currency`."""

    id: str
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_currency: str
    time_ms: int


class Standing(Struct, frozen=True):
    """Where an order stands, as the exchange says.

    `executions` may lag behind `filled` (base): then they must be asked for.
    """

    client_id: str
    exchange_id: str
    symbol: str
    side: Side
    kind: OrderKind
    amount: Decimal
    state: OrderState
    filled: Decimal = Decimal(0)
    executions: tuple[Execution, ...] = ()
    trigger: Decimal | None = None
    limit: Decimal | None = None

    @property
    def complete(self) -> bool:
        """Whether every fill is told."""
        return sum((each.amount for each in self.executions), Decimal(0)) == self.filled


class Stands(Struct, frozen=True):
    """It is there, and stands like this."""

    standing: Standing


class Refused(Struct, frozen=True):
    """The exchange did not do it, and will not."""

    why: str


class Absent(Struct, frozen=True):
    """The exchange knows no such order now (one that is on its way may still come)."""


class Unknown(Struct, frozen=True):
    """Nobody can tell from this answer; ask, at the earliest after `wait_ms`."""

    why: str
    wait_ms: int = 0


Answer = Stands | Refused | Absent | Unknown


class Filter(Struct, frozen=True):
    """A market's rules at the exchange: price step, amount step, smallest notional (quote), amounts (base).

    `trading`: whether orders are taken; `most_amount` 0 is no limit.
    """

    symbol: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    min_amount: Decimal = Decimal(0)
    most_amount: Decimal = Decimal(0)
    trading: bool = True


class OwnTrade(Struct, frozen=True):
    """An execution on the account, whoever ordered it."""

    symbol: str
    side: Side
    exchange_order_id: str
    execution: Execution


class Account(Struct, frozen=True):
    """The account at one moment: what it holds of each currency in all (free and locked), the orders that
    are open in our symbols, and its newest executions in them."""

    time_ms: int
    holdings: dict[str, Decimal]
    open_orders: tuple[Standing, ...]
    trades: tuple[OwnTrade, ...]


class Quote(Struct, frozen=True):
    """A symbol's best prices in quote, and the time of the exchange at which they stood."""

    symbol: str
    bid: Decimal
    ask: Decimal
    time_ms: int
