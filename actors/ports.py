"""What the actors ask of each other. Every question may be asked twice; the answer is the same.

An answer that did not come because the other side died is `ActorLost`: ask again.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from trading.errors import OperationError
from trading.events import Abstention, CandlesClosed, RunStarted
from trading.exchange_orders import Account, Execution, Filter, Placement, Quote
from trading.journal import Entry
from trading.orders import OrderState
from trading.rules import Rules
from trading.signals import Signal
from trading.simulated_venue import Executions, Moment, Working


class ActorLost(OperationError):
    """The actor that was asked died or cannot be reached; it is being started again."""


class CandleBatch(Struct, frozen=True):
    """Closed open times in order; `ended` when there will never be more after them."""

    closed: tuple[CandlesClosed, ...]
    ended: bool = False


class Answer(Struct, frozen=True, array_like=True):
    """All that one strategy said of one open time."""

    open_time_ms: int
    signals: tuple[Signal, ...]
    abstentions: tuple[Abstention, ...] = ()


class Recovered(Struct, frozen=True):
    """What a risk actor starts from: how the run began, the newest snapshot if there is one, and
    every entry after it (or every entry)."""

    started: RunStarted
    snapshot: bytes | None
    entries: tuple[Entry, ...]


class MarketPort(Protocol):
    """Closed candles, in order, by the open time that they follow."""

    async def candles_after(self, open_time_ms: int, limit: int) -> CandleBatch:
        """At most `limit` open times after this one; waits until there is one or the end."""
        ...


class StrategyPort(Protocol):
    """One strategy's answers, in order, by the open time that they follow."""

    async def answers_after(self, open_time_ms: int, limit: int) -> tuple[Answer, ...]:
        """At most `limit` answers after this open time; waits until there is one or the end."""
        ...


class VenuePort(Protocol):
    """A venue that fills on stored or simulated candles."""

    async def execute(
        self,
        book: Sequence[Working],
        cash: int,
        moments: Mapping[str, Sequence[Moment]],
        rules: Rules,
    ) -> Executions:
        """What fills at one open time."""
        ...


class StorePort(Protocol):
    """The one writer."""

    async def recover(self) -> Recovered:
        """What is stored of the active run."""
        ...

    async def append(self, entries: Sequence[Entry], state: bytes) -> int:
        """Store entries in order, durably; those stored already are passed over. The last sequence."""
        ...

    async def save_snapshot(self, sequence: int, state: bytes) -> None:
        """Keep what the engine knew after this entry."""
        ...

    async def finish(self) -> None:
        """Mark the run as finished: its candles ended."""
        ...

    async def log(self, level: str, source: str, code: str, text: str) -> None:
        """Write to the system log."""
        ...


class Health(Struct, frozen=True):
    """What an actor says of itself; `busy_ms` is how long its present work has taken."""

    name: str
    process: int
    busy_ms: int = 0
    facts: dict[str, Any] = {}


class WantedOrder(Struct, frozen=True):
    """What risk wants of one order at an exchange.

    `fresh`: it was stored a moment ago and nobody was told of it before, so that it can be sent without
    asking whether it was sent already. `cancel`: it is to be cancelled, unless it is final.
    """

    order_id: str
    placement: Placement
    fresh: bool = False
    cancel: bool = False


class OrderReport(Struct, frozen=True):
    """All that is known of one order; `why` says in words why it was refused or is unknown.

    A report replaces every earlier one of the order. `exchange_id` is empty until it is known.
    """

    order_id: str
    symbol: str
    state: OrderState
    exchange_id: str = ""
    filled: Decimal = Decimal(0)
    executions: tuple[Execution, ...] = ()
    why: str = ""


class VenueNews(Struct, frozen=True):
    """Reports newer than the cursor that was asked for; `incarnation` names the process that answers: a new
    one starts at cursor 0. `halted` says why nothing is sent any more, or is empty."""

    incarnation: str
    cursor: int
    reports: tuple[OrderReport, ...] = ()
    halted: str = ""


class ExchangePort(Protocol):
    """An account at an exchange: orders by what is wanted, and what became of them."""

    async def work(self, wanted: Sequence[WantedOrder], incarnation: str) -> str:
        """Make it so; returns at once, with the incarnation that heard it.

        `wanted` is everything that is not final: an order that is not in it any more is forgotten. `fresh`
        counts only when `incarnation` is that of the answering process.
        """
        ...

    async def news(self, incarnation: str, after: int) -> VenueNews:
        """What changed after this cursor; waits up to a second for something."""
        ...

    async def account(self) -> Account | None:
        """The account as the exchange tells it now; None when it does not."""
        ...

    async def filters(self) -> tuple[Filter, ...]:
        """The markets' rules, as fresh as they are known."""
        ...


class PricesPort(Protocol):
    """Live prices of the symbols of the run."""

    async def quotes(self, after: int) -> tuple[int, tuple[Quote, ...]]:
        """The newest quotes that changed after this cursor, and the next cursor; waits up to a second."""
        ...
