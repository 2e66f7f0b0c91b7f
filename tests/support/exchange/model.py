"""The facts of the local exchange: markets, orders, fills, what a test may switch, and the whole truth."""

import time
from decimal import Decimal
from typing import Literal

from msgspec import Struct, field

Number = Decimal | str | int
OrderSide = Literal["BUY", "SELL"]
EIGHT_DECIMALS = Decimal("0.00000001")
OPEN = ("NEW", "PARTIALLY_FILLED")
STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
WITH_LIMIT = ("LIMIT", "STOP_LOSS_LIMIT")


class Refusal(Exception):
    """The exchange's own refusal: an error code of Binance, its text, and the HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Clock:
    """The exchange's time in ms: the wall clock and an offset that a test may change.

    A client that took the offset before a step is still understood: its stamps are compared with every offset
    since the last `jump`.
    """

    def __init__(self, now_ms: int | None = None) -> None:
        self.offsets = [0 if now_ms is None else now_ms - _wall_ms()]

    def now_ms(self) -> int:
        """The time that it tells."""
        return _wall_ms() + self.offsets[-1]

    def step(self, by_ms: int) -> None:
        """Time passes."""
        self.offsets.append(self.offsets[-1] + by_ms)

    def jump(self, by_ms: int) -> None:
        """The clock is set: whoever goes by the time before is now wrong by so much."""
        self.offsets = [self.offsets[-1] + by_ms]

    def late_ms(self, stamp_ms: int) -> int:
        """How old a stamp is, negative if it lies ahead, by the offset that suits it best."""
        return min((_wall_ms() + offset - stamp_ms for offset in self.offsets), key=abs)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Market(Struct, frozen=True):
    """A market and its filters: price step, amount step (base), smallest notional (quote), amounts (base)."""

    symbol: str
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("0.00001")
    min_notional: Decimal = Decimal(10)
    min_amount: Decimal = Decimal("0.00001")
    most_amount: Decimal = Decimal(9000)
    most_market_amount: Decimal = Decimal(100)

    @property
    def id(self) -> str:
        """The exchange's name for it."""
        return self.symbol.replace("/", "")

    @property
    def base(self) -> str:
        """What is traded."""
        return self.symbol.split("/")[0]

    @property
    def quote(self) -> str:
        """What is paid with."""
        return self.symbol.split("/")[1]


class Order(Struct):
    """An order as the exchange holds it; `price` and `stop` are 0 where it has none."""

    id: int
    client_id: str
    symbol: str
    side: OrderSide
    type: str
    amount: Decimal
    price: Decimal
    stop: Decimal
    time_ms: int
    update_ms: int
    working: bool
    by_hand: bool = False
    status: str = "NEW"
    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    hidden_until: float = 0.0

    @property
    def left(self) -> Decimal:
        """What is not filled yet (base)."""
        return self.amount - self.filled


class Fill(Struct):
    """A fill; `cost` in quote, `fee` in `fee_currency`."""

    id: int
    order_id: int
    client_id: str
    symbol: str
    side: OrderSide
    price: Decimal
    amount: Decimal
    cost: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool
    time_ms: int
    hidden_until: float = 0.0


class Request(Struct):
    """A request without its signature; status 0 until it is answered, 499 when the line was cut."""

    method: str
    path: str
    params: dict[str, str]
    at_s: float
    status: int = 0
    faulty: bool = False


class Fault(Struct, kw_only=True):
    """What goes wrong with the next `count` (-1: all) requests that fit, after `skip` of them.

    A request fits by method, by the end of its path and by parameters; what is empty fits everything.
    It is executed at once (`executed`), `late_ms` afterwards, or not at all. What is sent after `hold_ms`:
    an error (`status`, or `code`), any `body`, nothing (`reset`; a time-out when that comes late), or half of
    the right answer (`cut`). With none of these it is mere delay, after executing if `executed`, else before.
    """

    method: str = ""
    path: str = ""
    params: dict[str, str] = field(default_factory=dict)
    count: int = 1
    skip: int = 0
    executed: bool = False
    late_ms: int = 0
    hold_ms: int = 0
    status: int = 0
    code: int = 0
    message: str = "Made to fail."
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    cut: bool = False
    seen: int = 0

    @property
    def answers(self) -> bool:
        """Whether something else than the right answer is sent."""
        return bool(self.status or self.code or self.reset or self.body is not None)

    def takes(self, request: Request) -> bool:
        """Whether it applies to this request, which is then counted."""
        fits = self.method in ("", request.method) and request.path.endswith(self.path)
        if not fits or any(request.params.get(name) != text for name, text in self.params.items()):
            return False
        self.seen += 1
        return self.seen > self.skip and (self.count < 0 or self.seen <= self.skip + self.count)


class State(Struct, kw_only=True):
    """What a test may switch; these values are the healthy ones.

    `liquidity` (base by symbol) is used up by fills, a symbol that is not named has no bound. `fee_currency`
    empty: what is received; `fee_currency_price`: quote for one of it, where it is neither base nor quote.
    `orders_hidden_ms`, `trades_hidden_ms`: how long a new order, a new fill is not seen by queries.
    """

    fee_rate: Decimal = Decimal("0.001")
    fee_currency: str = ""
    fee_currency_price: Decimal = Decimal(1)
    fill_parts: int = 1
    liquidity: dict[str, Decimal] = field(default_factory=dict)
    stop_market: bool = False
    halted: list[str] = field(default_factory=list)
    orders_hidden_ms: int = 0
    trades_hidden_ms: int = 0
    revoked: bool = False
    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = True
    tells_rights: bool = True
    weight_limit: int = 0
    sockets_silent: bool = False
    sockets_refused: bool = False
    sockets_duplicate: bool = False
    sockets_reorder: bool = False


class Balance(Struct):
    """A currency on the account."""

    free: Decimal
    locked: Decimal


class Truth(Struct):
    """All that happened.

    `sent` counts the requests to place by client id, answered or not; `duplicates` are the client ids of more
    than one order; `problems` is empty when fills, fees and transfers explain the balances; `sockets` are the
    websocket lines that are open.
    """

    now_ms: int
    orders: list[Order]
    fills: list[Fill]
    balances: dict[str, Balance]
    sent: dict[str, int]
    duplicates: list[str]
    requests: list[Request]
    problems: list[str]
    sockets: int

    def order(self, client_id: str) -> Order:
        """The only order of a client id."""
        (order,) = [each for each in self.orders if each.client_id == client_id]
        return order

    def fills_of(self, client_id: str) -> list[Fill]:
        """The fills of a client id."""
        return [each for each in self.fills if each.client_id == client_id]
