"""The newest events, for everybody who listens: one bounded ring, and no queue for anybody."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from autotrader.v1 import event_pb2

MOST_HELD = 2_000
FOREVER = 1 << 62
_BESIDE = (event_pb2.TOPIC_LOGS, event_pb2.TOPIC_RUNS)


@dataclass(frozen=True)
class Told:
    """One event: its place in the ring, the journal entry that was the newest when it came, what it is
    about, and its symbol ("" for none)."""

    position: int
    sequence: int
    topic: "event_pb2.Topic.ValueType"
    symbol: str
    event: event_pb2.Event


class Ring:
    """Holds the newest 2,000 events. Who reads too slowly finds that events are gone, and holds nobody up."""

    def __init__(self) -> None:
        self._held: deque[Told] = deque(maxlen=MOST_HELD)
        self._next = 0
        self._first_sequence = FOREVER
        self._changed = asyncio.Event()

    @property
    def end(self) -> int:
        """The position of the event that will come next."""
        return self._next

    def begin(self, sequence: int) -> None:
        """From this journal entry on events are told; whoever listens already missed some."""
        self._held.clear()
        self._next += 1
        self._first_sequence = sequence

    def add(
        self, sequence: int, events: Iterable[tuple["event_pb2.Topic.ValueType", str, event_pb2.Event]]
    ) -> None:
        """Tell events of a journal entry."""
        for topic, symbol, event in events:
            if len(self._held) == MOST_HELD:
                self._first_sequence = self._held[0].sequence + 1
            self._held.append(Told(self._next, sequence, topic, symbol, event))
            self._next += 1

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, seconds: float) -> None:
        """Wait until something is told, at most so long."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def position_after(self, sequence: int) -> int | None:
        """Where to go on after a journal entry; None when events after it are gone.

        What came beside that very entry, log lines and runs, is told once more: it carries an id.
        """
        if sequence < self._first_sequence - 1:
            return None
        for told in reversed(self._held):
            if told.sequence < sequence or (told.sequence == sequence and told.topic not in _BESIDE):
                return told.position + 1
        return self._held[0].position if self._held else self._next

    def after(self, position: int, most: int) -> Sequence[Told] | None:
        """So many events from this position on, the rest of the last one's journal entry too; None when
        some of them are gone."""
        if position >= self._next:
            return ()
        if not self._held:
            return None
        start = position - self._held[0].position
        if start < 0:
            return None
        found = list(islice(self._held, start, start + most))
        for told in islice(self._held, start + most, None):
            if told.sequence != found[-1].sequence:
                break
            found.append(told)
        return found
