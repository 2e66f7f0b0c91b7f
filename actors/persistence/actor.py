"""The persistence actor: the one writer of the database, and nobody else's.

Whoever looks up an actor imports its module: what only the actor needs is imported inside it.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import msgspec

from actors.ports import Health, Recovered
from trading.errors import OperationError
from trading.events import RunStarted
from trading.journal import Entry
from trading.state import EngineState

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from actors.persistence.runs import Run
    from actors.persistence.store import Store

Given = TypeVarTuple("Given")
Got = TypeVar("Got")


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


class Persistence:
    """Stores what the active run of one database does. The database is opened at the first question,
    so that whoever asks hears why it cannot be."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._store: Store | None = None
        self._run: Run | None = None
        self._states = msgspec.json.Decoder(EngineState)

    def recover(self) -> Recovered:
        """What is stored of the active run."""
        store, run = self._opened()
        found = store.recover(run.id)
        started = RunStarted(run.rules, run.anchor_ms, run.first_open_ms)
        snapshot = found.snapshot.encode() if found.snapshot is not None else None
        return Recovered(started, snapshot, tuple(found.entries))

    def append(self, entries: Sequence[Entry], state: bytes) -> int:
        """Store entries durably, in order; the last sequence that is stored."""
        store, run = self._opened()
        return store.append(run.id, entries, self._states.decode(state))

    def save_snapshot(self, sequence: int, state: bytes) -> None:
        """Keep what the engine knew after an entry."""
        store, run = self._opened()
        store.save_snapshot(run.id, sequence, state)

    def finish(self) -> None:
        """The run's candles ended."""
        store, run = self._opened()
        store.finish(run.id)

    def log(self, level: str, source: str, code: str, text: str) -> None:
        """Write to the system log."""
        self._opened()[0].log(level, source, code, text)

    def set_setting(self, key: str, value_json: str, by: str) -> None:
        """Keep a change of a setting until it is reset."""
        self._opened()[0].set_setting(key, value_json, by)

    def perform(self, act: "Callable[[Connection, *Given], Got]", *args: *Given) -> Got:
        """Do a write of the control plane in a transaction of its own."""
        return self._opened()[0].perform(act, *args)

    def health(self) -> Health:
        """That it lives."""
        return Health("persistence", os.getpid())

    def close(self) -> None:
        """Let the database go."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> "tuple[Store, Run]":
        if self._store is None:
            from actors.persistence.store import Store

            self._store = Store.open(self._url, now_ms)
        if self._run is None:
            self._run = self._store.active_run()
        if self._run is None:
            raise OperationError("the database holds no active run")
        return self._store, self._run
