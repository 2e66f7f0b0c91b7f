"""One local Ray for all actor tests, and replays on it."""

from collections.abc import Iterator

import pytest

from actors import spawn
from tests.databases import database_url, postgresql_url, sqlite_url

__all__ = ["database_url", "postgresql_url", "sqlite_url"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A private Ray on loopback."""
    spawn.start_ray()
    yield
    spawn.stop_ray()
