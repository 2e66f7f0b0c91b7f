"""An engine under measurement: `autotrader run` as a process, and a signed-in line to it."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import grpc

from autotrader.v1 import engine_pb2, engine_pb2_grpc, session_pb2, session_pb2_grpc
from benchmarks.memory import tree
from benchmarks.processes import environment, failure
from trading.errors import OperationError
from tui.client.calls import bearer

SETTINGS_FILE = Path(__file__).with_name("settings.toml")
STRATEGY_FILE = Path(__file__).with_name("in_and_out.py")
# Generous: the machine may be busy.
START_SECONDS, STOP_SECONDS, WAIT_SECONDS, CALL_SECONDS = 120.0, 60.0, 120.0, 10.0
LOOK_SECONDS = 0.005

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Engine:
    """Where it answers (HOST:PORT), what makes its owner known, and where it stores."""

    target: str
    web: str
    secret: str = field(repr=False)
    database: Path


class Line(NamedTuple):
    """A channel to the engine over TCP, and its owner's access token."""

    channel: grpc.aio.Channel
    token: str

    @property
    def metadata(self) -> Metadata:
        """What goes with every call."""
        return bearer(self.token)

    async def status(self) -> engine_pb2.EngineStatus:
        """How the engine stands."""
        stub = engine_pb2_grpc.EngineServiceStub(self.channel)
        answer: engine_pb2.GetStatusResponse = await stub.GetStatus(
            engine_pb2.GetStatusRequest(), metadata=self.metadata, timeout=CALL_SECONDS
        )
        return answer.status

    async def until(
        self, what: str, holds: Callable[[engine_pb2.EngineStatus], bool]
    ) -> engine_pb2.EngineStatus:
        """The first status of which this holds. Raises OperationError when it takes too long."""
        end = time.monotonic() + WAIT_SECONDS
        while not holds(status := await self.status()):
            if time.monotonic() > end:
                raise OperationError(f"the engine did not come to {what} within {WAIT_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS)
        return status


@contextmanager
def running(folder: Path, candles_per_second: float) -> Iterator[Engine]:
    """A new account's engine, storing in `folder`; nothing of it is left after the block.

    Raises OperationError when it does not start.
    """
    folder.mkdir()
    # The engine keeps files beside its settings.
    config, _ = (shutil.copy(file, folder) for file in (SETTINGS_FILE, STRATEGY_FILE))
    database = folder / "autotrader.db"
    settings = {"feed.candles_per_second": candles_per_second, "database.url": f"sqlite:///{database}"}
    command = [sys.executable, "-m", "cli", "run", "--config", str(config)]
    command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    before = _credentials()
    with TemporaryFile() as stderr:
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment(),
            cwd=folder,
            # Ctrl-C is for us: we end it.
            start_new_session=True,
        )
        try:
            found = _started(process, stderr, before)
            yield Engine(found["target"], found["web"].partition("//")[2], found["secret"], database)
        finally:
            _end(process)


@asynccontextmanager
async def line_to(engine: Engine) -> AsyncIterator[Line]:
    """A line that is signed in for 15 minutes. gRPC's errors become OperationErrors."""
    try:
        async with channel_to(engine.target) as channel:
            stub = session_pb2_grpc.SessionServiceStub(channel)
            request = session_pb2.SignInLocallyRequest(secret=engine.secret)
            answer = await stub.SignInLocally(request, timeout=CALL_SECONDS)
            yield Line(channel, answer.tokens.access_token)
    except grpc.aio.AioRpcError as error:
        raise OperationError(f"the engine refused: {error.code().name}, {error.details()}") from None


def channel_to(target: str) -> grpc.aio.Channel:
    """A connection of its own: channels with the same options would share one."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    return grpc.aio.insecure_channel(target, options=options)


def _credentials() -> set[Path]:
    state = Path(os.environ["XDG_STATE_HOME"])
    return set(state.glob("autotrader/control-*.json"))


def _started(process: "subprocess.Popen[bytes]", stderr: IO[bytes], before: set[Path]) -> dict[str, str]:
    """The credential file that was not there before. Raises OperationError when none comes."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        for path in _credentials() - before:
            found: dict[str, str] = json.loads(path.read_text())
            return found
        time.sleep(LOOK_SECONDS)
    if process.poll() is None:
        raise OperationError(f"the engine did not start within {START_SECONDS:g} s")
    raise failure(process.args, stderr)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it as Ctrl-C does; what is there still after that is killed."""
    family = tree(process.pid)
    try:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        print("the engine did not end when it was told to", file=sys.stderr)
    finally:
        if process.poll() is None:
            for pid in {*family, *tree(process.pid)}:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
