"""The ring: everybody reads at their own pace; who falls behind is told so."""

import asyncio

from autotrader.v1 import event_pb2, log_pb2
from control.read_model.ring import MOST_HELD, Ring, Told

CANDLES, LOGS = event_pb2.TOPIC_CANDLES, event_pb2.TOPIC_LOGS


def line(number: int) -> event_pb2.Event:
    return event_pb2.Event(log_entry=log_pb2.LogEntry(id=number))


def ring_of(*tellings: tuple[int, "event_pb2.Topic.ValueType"], first: int = 1) -> Ring:
    """A ring from a journal entry on, with one event for each (sequence, topic)."""
    ring = Ring()
    ring.begin(first)
    for number, (sequence, topic) in enumerate(tellings):
        ring.add(sequence, [(topic, "", line(number))])
    return ring


def told(ring: Ring, position: int | None, most: int = 10) -> list[int]:
    assert position is not None
    found = ring.after(position, most)
    assert found is not None
    return [each.event.log_entry.id for each in found]


def test_resuming_gives_what_came_after_the_entry() -> None:
    ring = ring_of((1, CANDLES), (2, CANDLES), (2, CANDLES), (3, CANDLES))
    assert told(ring, ring.position_after(0)) == [0, 1, 2, 3]
    assert told(ring, ring.position_after(1)) == [1, 2, 3]
    assert told(ring, ring.position_after(2)) == [3]
    assert told(ring, ring.position_after(3)) == []


def test_log_lines_that_came_with_the_entry_are_told_again() -> None:
    ring = ring_of((1, CANDLES), (1, LOGS), (2, CANDLES))
    assert told(ring, ring.position_after(1)) == [1, 2]


def test_resuming_before_the_first_entry_known_is_refused() -> None:
    ring = ring_of((7, CANDLES), first=7)
    assert ring.position_after(5) is None
    assert told(ring, ring.position_after(6)) == [0]


def test_a_part_never_ends_inside_an_entry() -> None:
    ring = ring_of((1, CANDLES), (2, CANDLES), (2, CANDLES), (2, CANDLES), (3, CANDLES))
    assert told(ring, ring.position_after(0), most=2) == [0, 1, 2, 3]


def test_a_full_ring_forgets_its_oldest_and_says_so() -> None:
    ring = ring_of((1, CANDLES), (2, CANDLES), (3, CANDLES))
    begin, oldest = ring.position_after(0), ring.position_after(2)
    for sequence in range(4, MOST_HELD + 3):
        ring.add(sequence, [(CANDLES, "", line(sequence))])
    assert begin is not None and ring.after(begin, 10) is None
    assert ring.position_after(0) is None and ring.position_after(1) is None
    assert told(ring, oldest, most=1) == [2]


def test_a_new_beginning_is_seen_by_who_listened_before() -> None:
    ring = ring_of((1, CANDLES))
    position = ring.end
    ring.begin(100)
    ring.add(100, [(CANDLES, "", line(9))])
    assert ring.after(position, 10) is None
    found = ring.after(ring.end - 1, 10)
    assert found is not None and isinstance(found[0], Told) and found[0].sequence == 100


async def test_who_waits_is_woken() -> None:
    ring = ring_of()
    waiting = asyncio.create_task(ring.changed(60))
    await asyncio.sleep(0)
    ring.wake()
    await asyncio.wait_for(waiting, 5)
