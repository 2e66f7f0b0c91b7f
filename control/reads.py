"""Reads of the stored facts: read-only, in threads, and only so many at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine

from actors.persistence.engine_url import open_engine, operation_errors
from actors.persistence.runs import Run
from actors.persistence.units import Units
from control.faults import exhausted

AT_ONCE = 4
WAITING = 16

Given = TypeVarTuple("Given")
Got = TypeVar("Got")


class Reads:
    """Asks the database about one run. A read that is given up still ends before another takes its place."""

    def __init__(self, engine: Engine, run: Run) -> None:
        self.run = run
        self.units = Units(run.rules)
        self._engine = engine
        self._threads = ThreadPoolExecutor(AT_ONCE, "reads")
        self._asked = 0

    @classmethod
    def open(cls, url: str, run: Run) -> "Reads":
        """Reads of a run of this database. Raises StorageError or OperationError when it does not open."""
        return cls(open_engine(url, read_only=True), run)

    def close(self) -> None:
        """Wait for what is being read, then give the connections back."""
        self._threads.shutdown(cancel_futures=True)
        self._engine.dispose()

    async def ask(self, query: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        """What `query(connection, *args)` gives, in one transaction, from a thread.

        Raises Fault RESOURCE_EXHAUSTED when 16 reads wait already, OperationError when the database fails.
        """
        if self._asked >= AT_ONCE + WAITING:
            raise exhausted("TOO_MANY_READS", f"{WAITING} reads are waiting already; ask again in a moment")
        self._asked += 1
        work = self._threads.submit(self._read, query, args)
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _work: loop.call_soon_threadsafe(self._ended))
        return await asyncio.wrap_future(work)

    def _read(self, query: Callable[[Connection, *Given], Got], args: tuple[*Given]) -> Got:
        with operation_errors(), self._engine.connect() as connection:
            return query(connection, *args)

    def _ended(self) -> None:
        self._asked -= 1
