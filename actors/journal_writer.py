"""Group commits: journal entries go to the one writer in order, many in one transaction."""

import asyncio
from collections.abc import Callable

from actors.ports import ActorLost, StorePort
from actors.run_ahead import LOST_PAUSE_SECONDS
from trading.errors import OperationError, TakenOver
from trading.journal import Entry

FULL_GROUP = 400
MOST_HELD = 2_000
IDLE_SECONDS = 0.02
PATIENCE_SECONDS = 0.5
SNAPSHOT_EVERY = 2_000


class JournalWriter:
    """Holds entries until they are stored; `flush` returns when all so far are.

    `state` gives the engine's present state as bytes. At most `MOST_HELD` entries wait: then `room`
    waits. When storing fails for good, `flush` and `room` raise what the store raised. One that is `patient`
    waits for a database that is locked, full or away, and tells `delayed` why; nothing is sent meanwhile,
    for what is to be sent waits for its commit.
    """

    def __init__(
        self, store: StorePort, state: Callable[[], bytes], stored: int, patient: bool = False
    ) -> None:
        self._patient = patient
        self.delayed = ""
        self._store = store
        self._state = state
        self._held: list[Entry] = []
        self._stored = stored
        self._last = stored
        self._snapshot_at = stored
        self._changed = asyncio.Condition()
        self._urgent = asyncio.Event()
        self._failure: Exception | None = None
        self._task = asyncio.ensure_future(self._write_on())

    @property
    def stored(self) -> int:
        """The sequence of the last entry that is stored."""
        return self._stored

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        self._held.append(entry)
        self._last = entry.sequence
        if len(self._held) >= FULL_GROUP:
            self._urgent.set()

    async def flush(self) -> None:
        """Wait until every entry so far is stored."""
        self._urgent.set()
        await self._until_stored(self._last)

    async def room(self) -> None:
        """Wait while too many entries are held."""
        if self._failure is not None or self._last - self._stored > MOST_HELD:
            await self._until_stored(self._last - MOST_HELD)

    def abandon(self, error: Exception) -> None:
        """Store nothing more: what is held may be half done. Whoever waits is told this error."""
        self._failure = error
        self._held = []
        self._task.cancel()
        self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def close(self) -> None:
        """Store what is held, then stop."""
        await self.flush()
        self._task.cancel()

    async def _until_stored(self, sequence: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure is not None or self._stored >= sequence)
        if self._failure is not None:
            raise self._failure

    async def _write_on(self) -> None:
        try:
            while True:
                if not self._held or not self._urgent.is_set():
                    await self._pause()
                if self._held:
                    await self._write_group()
        except Exception as error:
            self._failure = error
            await self._tell()

    async def _pause(self) -> None:
        """Give entries a moment to gather, unless somebody waits for them."""
        try:
            await asyncio.wait_for(self._urgent.wait(), IDLE_SECONDS)
        except TimeoutError:
            return
        if not self._held:
            self._urgent.clear()

    async def _write_group(self) -> None:
        self._urgent.clear()
        group, self._held = self._held, []
        state = self._state()
        last = group[-1].sequence
        while True:
            try:
                stored = await self._store.append(group, state)
                if last - self._snapshot_at >= SNAPSHOT_EVERY:
                    await self._store.save_snapshot(last, state)
                    self._snapshot_at = last
                break
            except ActorLost:
                await asyncio.sleep(LOST_PAUSE_SECONDS)
            except TakenOver:
                raise
            except OperationError as error:
                if not self._patient:
                    raise
                self.delayed = str(error)
                await asyncio.sleep(PATIENCE_SECONDS)
        self.delayed = ""
        if stored < last:
            raise OperationError(f"the store kept entries up to {stored}, but was given up to {last}")
        async with self._changed:
            self._stored = last
            self._changed.notify_all()
