"""Waking everybody who waits for news."""

import asyncio


class Signal:
    """Counts the news; `number` is that of the newest."""

    def __init__(self) -> None:
        self.number = 0
        self._next = asyncio.Event()

    def tell(self) -> None:
        """There is news."""
        self.number += 1
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, heard: int, seconds: float | None = None) -> None:
        """Wait for news later than those that were heard, or for so long."""
        if self.number != heard:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._next.wait()
        except TimeoutError:
            return
