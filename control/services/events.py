"""EventService: one stream with everything that changes."""

import time
from asyncio import sleep
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass

from autotrader.v1 import engine_pb2, event_pb2, event_pb2_grpc
from control.arguments import symbols_of
from control.calls import Context
from control.faults import invalid
from control.read_model.model import ReadModel
from control.read_model.ring import Told
from control.rows import timestamp

HEARTBEAT_SECONDS = 2.0
PAUSE_SECONDS = 0.05
MOST_EVENTS = 300


@dataclass(frozen=True)
class Wanted:
    """What a subscriber asked for; no symbols is all of them."""

    topics: frozenset[int]
    symbols: frozenset[str]

    def takes(self, told: Told) -> bool:
        """Whether an event is for this subscriber."""
        return told.topic in self.topics and (
            not self.symbols or told.symbol in self.symbols or not told.symbol
        )


class EventServicer(event_pb2_grpc.EventServiceServicer):
    """Every subscriber reads the ring at its own pace, at most twenty messages a second; nothing is held
    for any of them. `now_ms` is the clock of the messages."""

    def __init__(self, model: ReadModel, now_ms: Callable[[], int]) -> None:
        self._model = model
        self._now_ms = now_ms

    async def Subscribe(
        self, request: event_pb2.SubscribeRequest, context: Context
    ) -> AsyncGenerator[event_pb2.SubscribeResponse, None]:
        """Everything of the wanted topics, as it is stored."""
        wanted = _wanted(request, self._model)
        ring = self._model.ring
        position, skipped = self._begin(request)
        sequence = self._model.sequence if skipped or not request.run_id else request.after_sequence
        shown: engine_pb2.EngineStatus | None = None
        told_at = -HEARTBEAT_SECONDS
        while True:
            sent_at = time.monotonic()
            found = ring.after(position, MOST_EVENTS)
            if found is None:
                position, skipped, found = ring.end, True, ()
            if found:
                position, sequence = found[-1].position + 1, found[-1].sequence
            if position == ring.end:
                sequence = self._model.sequence
            status = self._model.status()
            events = [told.event for told in found if wanted.takes(told)]
            if status is not shown:
                events += self._present(wanted, status)
                shown = status
            if events or skipped or sent_at - told_at >= HEARTBEAT_SECONDS:
                yield self._message(sequence, events, skipped)
                skipped, told_at = False, sent_at
            if position == ring.end:
                await ring.changed(max(0.0, told_at + HEARTBEAT_SECONDS - sent_at))
            await sleep(max(0.0, sent_at + PAUSE_SECONDS - time.monotonic()))

    def _begin(self, request: event_pb2.SubscribeRequest) -> tuple[int, bool]:
        """Where in the ring to begin, and whether events before that are lost to this subscriber."""
        ring = self._model.ring
        if not request.run_id:
            return ring.end, False
        if request.run_id != self._model.facts.run_id or request.after_sequence > self._model.sequence:
            return ring.end, True
        position = ring.position_after(request.after_sequence)
        return (ring.end, True) if position is None else (position, False)

    def _present(self, wanted: Wanted, status: engine_pb2.EngineStatus) -> Iterable[event_pb2.Event]:
        if event_pb2.TOPIC_STATUS in wanted.topics:
            yield event_pb2.Event(status=status)
        if event_pb2.TOPIC_POSITIONS in wanted.topics:
            held = event_pb2.OpenPositions(positions=self._model.positions())
            yield event_pb2.Event(positions=held)

    def _message(
        self, sequence: int, events: Sequence[event_pb2.Event], skipped: bool
    ) -> event_pb2.SubscribeResponse:
        return event_pb2.SubscribeResponse(
            sequence=sequence,
            run_id=self._model.facts.run_id,
            events=events,
            skipped=skipped,
            sent_at=timestamp(self._now_ms()),
        )


def _wanted(request: event_pb2.SubscribeRequest, model: ReadModel) -> Wanted:
    if not request.topics:
        raise invalid("topics", "at least one is needed")
    if event_pb2.TOPIC_UNSPECIFIED in request.topics:
        raise invalid("topics", "TOPIC_UNSPECIFIED is no topic")
    if request.after_sequence < 0:
        raise invalid("after_sequence", f"{request.after_sequence} is negative")
    symbols = symbols_of(request.symbols, model.state.symbols)
    return Wanted(frozenset(request.topics), frozenset(symbols))
