"""Reading ahead: ask one actor for the next items, in order, a bounded number at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from actors.ports import ActorLost

LOST_PAUSE_SECONDS = 0.05


class Dated(Protocol):
    """Anything that belongs to one open time."""

    @property
    def open_time_ms(self) -> int:
        """The open time."""
        ...


Item = TypeVar("Item", bound=Dated)


class RunAhead(Generic[Item]):
    """Holds the next items of one source, fetched in batches of at most `limit`.

    `ask` gets the open time after which to go on and a limit, and answers with the items and
    whether there will never be more; it is asked again when the actor behind it was lost. At most
    two batches are held: the one being consumed and the next.
    """

    def __init__(
        self,
        ask: Callable[[int, int], Awaitable[tuple[Sequence[Item], bool]]],
        after_ms: int,
        limit: int,
    ) -> None:
        self._ask = ask
        self._after_ms = after_ms
        self._limit = limit
        self._held: deque[Item] = deque()
        self._ended = False
        self._asking: asyncio.Task[None] | None = None

    async def next(self) -> Item | None:
        """The next item in order; None at the end, and once it is closed."""
        while not self._held and not self._ended:
            asking = self._ask_once()
            await asyncio.wait({asking})
            if not asking.cancelled():
                asking.result()
        self._ask_early()
        return self._held.popleft() if self._held else None

    def held(self) -> Item | None:
        """The next item if it is here already; None says nothing about the end."""
        if not self._held:
            return None
        self._ask_early()
        return self._held.popleft()

    @property
    def more(self) -> bool:
        """Whether another item is here already."""
        return bool(self._held)

    def close(self) -> None:
        """Stop asking; whoever waits for the next item gets none."""
        self._ended = True
        if self._asking is not None:
            self._asking.cancel()

    def _ask_early(self) -> None:
        if len(self._held) <= self._limit and not self._ended:
            self._ask_once()

    def _ask_once(self) -> "asyncio.Task[None]":
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._fetch())
        return self._asking

    async def _fetch(self) -> None:
        while True:
            try:
                items, ended = await self._ask(self._after_ms, self._limit)
            except ActorLost:
                await asyncio.sleep(LOST_PAUSE_SECONDS)
                continue
            break
        self._held.extend(items)
        self._ended = ended
        if items:
            self._after_ms = items[-1].open_time_ms
