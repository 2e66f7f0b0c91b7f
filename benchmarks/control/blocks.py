"""Calls of several kinds in alternating blocks, so that a busy second hits all alike."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

BLOCK = 200
WARM_UP = 20

Key = TypeVar("Key")
Call = Callable[[], Awaitable[object]]


async def timed_in_turn(kinds: Mapping[Key, Call], calls: int) -> dict[Key, list[float]]:
    """Milliseconds of so many calls of each kind, one after the other; some more before are not counted."""
    for call in kinds.values():
        await _block(call, WARM_UP)
    taken: dict[Key, list[float]] = {kind: [] for kind in kinds}
    for done in range(0, calls, BLOCK):
        for kind, call in kinds.items():
            taken[kind] += await _block(call, min(BLOCK, calls - done))
    return taken


async def _block(call: Call, calls: int) -> list[float]:
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        await call()
        taken.append(1000 * (time.perf_counter() - start))
    return taken
