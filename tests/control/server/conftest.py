"""One engine with its control plane for the tests that leave it as it is, and its callers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.control_client import Control, World, connected
from tests.support.control_process import EngineProcess

PLANTED_ENVIRONMENT = {
    "AUTOTRADER__EXCHANGE__API_KEY": "planted-api-key-7Q",
    "AUTOTRADER__EXCHANGE__API_SECRET": "planted-api-secret-9Z",
}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An engine that runs as long as the tests; whoever stops, kills or fills it takes one of their own."""
    engine = EngineProcess(tmp_path_factory.mktemp("engine"), environment=PLANTED_ENVIRONMENT).start()

    async def populate() -> dict[str, str]:
        async with connected(engine.target) as anybody:
            owner = await anybody.sign_in_locally(engine.credential["secret"])
            return {**await owner.make_accounts(), "local": owner.token}

    yield World(engine, asyncio.run(populate()))
    engine.stop()


@pytest.fixture
def engine(world: World) -> EngineProcess:
    """The engine that all share."""
    return world.engine


@pytest.fixture
async def anybody(engine: EngineProcess) -> AsyncIterator[Control]:
    """Who has no token."""
    async with connected(engine.target) as control:
        yield control


@pytest.fixture
def viewer(anybody: Control, world: World) -> Control:
    return anybody.as_(world.tokens["viewer"])


@pytest.fixture
def operator(anybody: Control, world: World) -> Control:
    return anybody.as_(world.tokens["operator"])


@pytest.fixture
def admin(anybody: Control, world: World) -> Control:
    return anybody.as_(world.tokens["admin"])


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine for one test, not started yet."""
    engine = EngineProcess(tmp_path, environment=PLANTED_ENVIRONMENT)
    yield engine
    if engine.process is not None and engine.process.poll() is None:
        engine.kill()
