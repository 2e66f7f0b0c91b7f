"""Reading ahead: in order, bounded, and closed without harm to who waits."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from actors.ports import ActorLost
from actors.run_ahead import RunAhead


@dataclass(frozen=True)
class Item:
    """Something of one open time."""

    open_time_ms: int


async def test_items_come_in_order_to_the_end_although_the_source_is_lost_at_times() -> None:
    lost = iter([True, False, True, False, False, False, False])

    async def ask(after_ms: int, limit: int) -> tuple[Sequence[Item], bool]:
        if next(lost, False):
            raise ActorLost("gone")
        times = range(after_ms + 1, min(after_ms + limit, 7) + 1)
        return [Item(time) for time in times], after_ms + limit >= 7

    source = RunAhead(ask, 0, 3)
    seen = [await source.next() for _ in range(8)]
    assert seen == [*(Item(time) for time in range(1, 8)), None]


async def test_closing_gives_none_to_who_waits_and_ends_nobody() -> None:
    async def never(_after_ms: int, _limit: int) -> tuple[Sequence[Item], bool]:
        await asyncio.Event().wait()
        raise AssertionError

    source = RunAhead(never, 0, 3)
    waiting = asyncio.create_task(source.next())
    await asyncio.sleep(0)
    source.close()
    assert await asyncio.wait_for(waiting, 5) is None
    assert await source.next() is None
