"""What was approved, read from where it was stored: nothing else may leave.

The orders themselves come from risk; this is the second look at them, from another side.
"""

from decimal import Decimal

from msgspec import Struct
from sqlalchemy import Connection, Engine, select

from actors.execution.lease import lease
from actors.execution.spec import OwnLimits
from actors.persistence.engine_url import open_engine, operation_errors
from actors.persistence.tables import orders
from trading.client_ids import client_id
from trading.exchange_orders import Placement
from trading.orders import OrderState
from trading.signals import Side

DAY_MS = 86_400_000


class Approved(Struct, frozen=True):
    """An order as it was stored: amount in base, prices in quote (None: it has none), and what the other buys
    decided on that day of UTC come to, in quote."""

    symbol: str
    side: str
    kind: str
    amount: Decimal
    trigger: Decimal | None
    limit: Decimal | None
    sizing_price: Decimal | None
    bought: Decimal


class Approval(Struct, frozen=True):
    """Who may send, and what was approved; None when no such order is stored."""

    epoch: int
    holder: str
    order: Approved | None


class Approvals:
    """Reads the approved orders of one run. Each reading raises OperationError when the database fails."""

    def __init__(self, engine: Engine, run_id: int) -> None:
        self._engine = engine
        self._run_id = run_id

    @classmethod
    def open(cls, database_url: str, run_id: int) -> "Approvals":
        """Raises StorageError when there is no such database, OperationError when it does not answer."""
        return cls(open_engine(database_url, read_only=True), run_id)

    def read(self, order_id: str) -> Approval:
        """The order of this id, and whose turn it is to send, of one moment."""
        with operation_errors(), self._engine.connect() as connection:
            return Approval(*lease(connection), self._order(connection, order_id))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _order(self, connection: Connection, order_id: str) -> Approved | None:
        query = select(orders).where(orders.c.run_id == self._run_id, orders.c.id == order_id)
        row = connection.execute(query).first()
        if row is None:
            return None
        bought = Decimal(0)
        if row.side == Side.BUY.value:
            bought = self._other_buys(connection, order_id, row.decided_at // DAY_MS * DAY_MS)
        prices = (row.trigger_price, row.limit_price, row.sizing_price)
        return Approved(row.symbol, row.side, row.kind, row.amount, *prices, bought)

    def _other_buys(self, connection: Connection, order_id: str, day_ms: int) -> Decimal:
        query = select(orders.c.amount, orders.c.sizing_price).where(
            orders.c.run_id == self._run_id,
            orders.c.side == Side.BUY.value,
            orders.c.state != OrderState.REFUSED.value,
            orders.c.decided_at >= day_ms,
            orders.c.decided_at < day_ms + DAY_MS,
            orders.c.id != order_id,
        )
        found = connection.execute(query)
        return sum((row.amount * (row.sizing_price or 0) for row in found), Decimal(0))


def difference(order_id: str, placement: Placement, approved: Approved | None, engine_id: str) -> str:
    """How what is to be sent differs from what was approved; empty when it does not."""
    if approved is None:
        return f"order {order_id}: it is not stored, so nobody approved it"
    facts = [
        ("client id", client_id(engine_id, order_id), placement.client_id),
        ("symbol", approved.symbol, placement.symbol),
        ("side", approved.side, placement.side.value),
        ("kind", approved.kind, placement.kind.value),
        ("amount", approved.amount, placement.amount),
        ("trigger", approved.trigger, placement.trigger),
        ("limit", approved.limit, placement.limit),
    ]
    for name, theirs, ours in facts:
        if theirs != ours:
            return f"order {order_id}: its {name} is {theirs} as approved, but {ours} was to be sent"
    return ""


def over_limit(limits: OwnLimits, placement: Placement, approved: Approved, sent: int) -> str:
    """Which limit a buy breaks, where `sent` others left within the last minute; empty for none.

    A sell is never held back.
    """
    if placement.side is not Side.BUY:
        return ""
    price = max(approved.sizing_price or Decimal(0), approved.limit or Decimal(0))
    notional = placement.amount * price
    day = approved.bought + notional
    most, largest, daily = limits.max_orders_per_minute, limits.max_order_notional, limits.max_daily_notional
    if not price and (largest is not None or daily is not None):
        return "there is no price to value the order at"
    if most is not None and sent >= most:
        return f"max_orders_per_minute: {sent} orders left within the last minute, at most {most} may"
    if largest is not None and notional > largest:
        return f"max_order_notional: the order is worth {notional:f}, at most {largest:f} is allowed"
    if daily is not None and day > daily:
        return f"max_daily_notional: the day's buys would be worth {day:f}, at most {daily:f} is allowed"
    return ""
