"""What the tests of storage share: databases, and a store with a clock that stands."""

from collections.abc import Iterator

import pytest

from actors.persistence.reader import Reader
from actors.persistence.runs import Mode, Run, RunSetup
from actors.persistence.store import Store
from tests.databases import database_url, empty_postgresql_url, postgresql_url, sqlite_url
from tests.support.runs import RandomRun, batches

__all__ = ["database_url", "empty_postgresql_url", "postgresql_url", "sqlite_url"]

NOW_MS = 1_700_000_000_123
PAPER = RunSetup(Mode.PAPER, settings='{"vote":{"quorum":0.5}}', source="a random walk", simulated=True)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on a database of its own."""
    opened = Store.open(database_url, lambda: NOW_MS)
    yield opened
    opened.close()


@pytest.fixture
def reader(store: Store, database_url: str) -> Iterator[Reader]:
    """A reader of the store's database."""
    opened = Reader.open(database_url)
    yield opened
    opened.close()


def stored_run(store: Store, source: RandomRun, candles: int, batch: int = 50) -> Run:
    """A run with the next candles of a source, the engine's state with its last entry."""
    run = store.begin(PAPER, source.started)
    entries = source.entries(candles)
    for group in batches(entries, batch):
        last = group[-1] is entries[-1]
        store.append(run.id, group, source.engine.state if last else None)
    return run
