"""What the actors ask of each other. Every question may be asked twice; the answer is the same.

An answer that did not come because the other side died is `ActorLost`: ask again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from trading.errors import OperationError
from trading.events import Abstention, CandlesClosed, RunStarted
from trading.journal import Entry
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
