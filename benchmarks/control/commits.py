"""When journal entries were committed, seen from outside: by looking a thousand times a second."""

import sqlite3
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 0.001
NEWEST = "SELECT max(sequence) FROM journal WHERE run_id = ?"
DECIDED = "SELECT sequence, open_time_ms FROM journal WHERE run_id = ? AND kind = 'SignalsCollected'"


class Commit(NamedTuple):
    """The newest sequence that is stored, and when that was first seen (monotonic seconds)."""

    sequence: int
    at: float


class Commits:
    """The commits of a run, in order; entries up to `before` were stored before the first of them."""

    def __init__(self, before: int, seen: Iterable[Commit] = ()) -> None:
        self.before = before
        self.seen = list(seen)

    def stored_at(self, sequence: int) -> float | None:
        """When an entry was stored; None for one that was stored before or after."""
        if not self.seen or not self.before < sequence <= self.seen[-1].sequence:
            return None
        return self.seen[bisect_left(self.seen, (sequence, 0.0))].at


@contextmanager
def watched_commits(database: Path, run_id: int) -> Iterator[Commits]:
    """The commits during the block."""
    with closing(_opened(database)) as connection:
        commits = Commits(_newest(connection, run_id))
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(database, run_id, commits, ended), daemon=True)
    watcher.start()
    try:
        yield commits
    finally:
        ended.set()
        watcher.join()


def decided(database: Path, run_id: int) -> list[tuple[int, int]]:
    """The open times (ms) that were decided, each with the sequence of its decisions; in order."""
    with closing(_opened(database)) as connection:
        return connection.execute(f"{DECIDED} ORDER BY sequence", (run_id,)).fetchall()


def _watch(database: Path, run_id: int, commits: Commits, ended: threading.Event) -> None:
    newest = commits.before
    with closing(_opened(database)) as connection:
        while not ended.wait(LOOK_SECONDS):
            found = _newest(connection, run_id)
            if found != newest:
                commits.seen.append(Commit(found, time.monotonic()))
                newest = found


def _opened(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)


def _newest(connection: sqlite3.Connection, run_id: int) -> int:
    (sequence,) = connection.execute(NEWEST, (run_id,)).fetchone()
    return int(sequence)
