"""A gRPC server on a unix socket, and the door before it."""

import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cli.clock import now_ms
from control.door.app import Door
from control.listening import Tls
from control.tls.development import Made, make_certificates
from control.tls.loading import load_tls
from tests.control.door.upstream import METHODS, Upstream, running_upstream


@pytest.fixture
def socket() -> Iterator[Path]:
    """A short path: a unix socket's has at most 107 bytes."""
    folder = tempfile.mkdtemp(prefix="door-")
    yield Path(folder, "grpc.sock")
    shutil.rmtree(folder)


@pytest.fixture
async def upstream(socket: Path) -> AsyncIterator[Upstream]:
    async with running_upstream(socket) as running:
        yield running


@pytest.fixture
async def door(socket: Path, upstream: Upstream) -> AsyncIterator[Door]:
    made = Door(socket, METHODS, hosts=["Nas.local"], origins=["https://phone.example"])
    yield made
    await made.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Certificates for development."""
    return make_certificates(tmp_path_factory.mktemp("tls"), ["nas.local"], now_ms())


@pytest.fixture
def context(made: Made) -> ssl.SSLContext:
    """What the server shows."""
    return load_tls(Tls(str(made.server), str(made.server_key)), now_ms()).context()
