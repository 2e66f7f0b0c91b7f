"""What only a live run remembers: its orders at the exchange, the newest prices, and how its books stand."""

from decimal import Decimal

from msgspec import Struct, field

from trading.ledger import Dust
from trading.orders import Order

ENDED_KEPT = 100
FILLS_KEPT = 1_000


class LiveSymbol(Struct):
    """One symbol at the exchange: prices in ticks, times in ms by the exchange's clock, 0 for none.

    `stop` is the order that protects the position. `strays` are orders that were held for ended and turned
    out to be there: they are cancelled. `price` is the newest confirmed bid; `suspect` one that is too far
    from it, seen first at `suspect_ms`. `bare_since_ms`: since when the position is without a working stop;
    `under_since_ms`: since when the price is at or under the stop. What failed is tried again at
    `stop_again_ms` and `exit_again_ms`; `attempts` numbers the orders. `blocked` says
    why nothing is bought, or is empty.
    """

    stop: Order | None = None
    strays: dict[str, Order] = {}
    dust: Dust | None = None
    price: int = 0
    price_ms: int = 0
    suspect: int = 0
    suspect_ms: int = 0
    bare_since_ms: int = 0
    under_since_ms: int = 0
    stop_again_ms: int = 0
    stop_failures: int = 0
    exit_again_ms: int = 0
    exit_failures: int = 0
    attempts: int = 0
    blocked: str = ""

    def next_number(self) -> int:
        """The number of the symbol's next order at the exchange."""
        self.attempts += 1
        return self.attempts

    def orders(self) -> list[Order]:
        """The orders at the exchange that are neither the entry nor the exit."""
        return [*([self.stop] if self.stop else []), *self.strays.values()]

    def set_back(self, time_ms: int) -> None:
        """The exchange's clock was set back to this time: nothing is later."""
        self.price_ms, self.suspect_ms = min(self.price_ms, time_ms), min(self.suspect_ms, time_ms)
        self.bare_since_ms = min(self.bare_since_ms, time_ms)
        self.under_since_ms = min(self.under_since_ms, time_ms)
        self.stop_again_ms = min(self.stop_again_ms, time_ms)
        self.exit_again_ms = min(self.exit_again_ms, time_ms)


class Books(Struct):
    """How ledger and account compare; `now_ms` is the newest time of the exchange.

    `external` is what the account holds beside the ledger, by currency, None until it was first compared;
    `unreconciled` says why the books are not known to be right, or is empty; `pending` are differences that
    were seen once and are booked when they are seen again. `booked` are the ids of the newest fills, `ended`
    the newest orders that are final, by id.
    """

    external: dict[str, Decimal] | None = None
    unreconciled: str = "the account has not been compared yet"
    now_ms: int = 0
    pending: dict[str, Decimal] = {}
    booked: dict[str, int] = field(default_factory=dict)
    ended: dict[str, Order] = field(default_factory=dict)

    def book(self, fill_id: str, time_ms: int, told: int = 1) -> bool:
        """Remember a fill, one of so many that are told together; whether it is new."""
        if fill_id in self.booked:
            return False
        self.booked[fill_id] = time_ms
        while len(self.booked) > FILLS_KEPT + told:
            del self.booked[next(iter(self.booked))]
        return True

    def end(self, order: Order) -> None:
        """Remember an order that is final."""
        self.ended.pop(order.id, None)
        self.ended[order.id] = order
        while len(self.ended) > ENDED_KEPT:
            del self.ended[next(iter(self.ended))]
