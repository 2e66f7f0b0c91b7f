"""A server with the runs alone, on a free port, over candle files that were made for the test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from sqlalchemy import Connection

from actors.persistence.store import Store
from autotrader.v1 import access_pb2, run_pb2, run_pb2_grpc
from control.caller import Caller
from control.calls import Calls
from control.commands import Commands
from control.runs.manager import RunManager
from control.services.runs import RunServicer
from control.store import Given, Got
from tests.databases import sqlite_url
from trading.settings import Settings, StrategySettings
from trading.simulated_market import SOURCE, SimulatedMarket, simulated_candles

if TYPE_CHECKING:
    Stub = run_pb2_grpc.RunServiceAsyncStub

__all__ = ["sqlite_url"]

HOUR_MS = 3_600_000
FIRST_MS = 1_600_000_000_000 // HOUR_MS * HOUR_MS
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
TOKEN = (("authorization", "Bearer any"),)
BTC = run_pb2.SymbolFile(symbol="BTC/USDT", file="btc.parquet")
ETH = run_pb2.SymbolFile(symbol="ETH/USDT", file="more/eth.parquet")
SECRET = "planted-secret-8d1f"
# It never gets to an answer: a run with it is at work until it is ended.
SLOW = """\
import time
from trading.strategies import VectorStrategy
class Slow(VectorStrategy):
    def signals(self, candles):
        print("a strategy may print")
        time.sleep(600)
"""


def write_candles(file: Path, symbol: str, timeframe_ms: int = HOUR_MS, count: int = 600) -> None:
    """A file of made-up candles that says what it holds."""
    market = SimulatedMarket(symbol, seed=7, timeframe_ms=timeframe_ms)
    file.parent.mkdir(parents=True, exist_ok=True)
    table = simulated_candles(market, FIRST_MS // timeframe_ms * timeframe_ms, count).select(COLUMNS)
    table.write_parquet(file, metadata={"symbol": symbol, "source": SOURCE})


@dataclass
class Server:
    """A client of the server, the manager behind it, its folders, and what was told of changes."""

    stub: "Stub"
    manager: RunManager
    channel: grpc.aio.Channel
    runs: Path
    candles: Path
    settings: list[Settings]
    changes: list[run_pb2.Run] = field(default_factory=list)
    commands: int = 0

    def use(self, code: str) -> None:
        """Let one strategy from this code be all that votes."""
        file = self.candles.parent / "slow.py"
        file.write_text(code)
        slow = StrategySettings(name="slow", type="slow", path=str(file))
        self.settings[0] = self.settings[0].model_copy(update={"strategies": (slow,)})

    def next_id(self) -> str:
        """The id of a new command."""
        self.commands += 1
        return f"command-{self.commands}"

    async def backtest(self, *changes: tuple[str, str], **facts: Any) -> run_pb2.Run:
        """Queue a backtest."""
        request = run_pb2.StartBacktestRequest(request_id=self.next_id(), settings=pairs(changes), **facts)
        if not facts:
            request.data.append(BTC)
        return (await self.stub.StartBacktest(request, metadata=TOKEN)).run

    async def sweep(self, *changes: tuple[str, str], **facts: Any) -> run_pb2.Run:
        """Queue a sweep of BTC/USDT."""
        request = run_pb2.StartSweepRequest(
            request_id=self.next_id(), data=[BTC], settings=pairs(changes), **facts
        )
        return (await self.stub.StartSweep(request, metadata=TOKEN)).run

    async def cancel(self, id_: str) -> str:
        """End a run; returns what came of it."""
        request = run_pb2.CancelRunRequest(request_id=self.next_id(), id=id_)
        return (await self.stub.CancelRun(request, metadata=TOKEN)).result.message

    async def get(self, id_: str) -> run_pb2.Run:
        """A run as it stands."""
        return (await self.stub.GetRun(run_pb2.GetRunRequest(id=id_), metadata=TOKEN)).run

    async def watched(
        self, id_: str, until: Callable[[run_pb2.Run], bool] = lambda _run: False
    ) -> list[run_pb2.Run]:
        """What a watcher sees of a run, to its end or to the first that is like this."""
        seen = []
        async for answer in self.stub.WatchRun(run_pb2.WatchRunRequest(id=id_), metadata=TOKEN):
            seen.append(answer.run)
            if until(answer.run):
                break
        return seen

    async def at_work(self, id_: str) -> run_pb2.Run:
        """A run once its strategies are asked."""
        return (await self.watched(id_, lambda run: run.progress_text.startswith("signals")))[-1]

    async def download(self, id_: str, name: str) -> list[bytes]:
        """A result file, in its parts."""
        request = run_pb2.DownloadRunFileRequest(id=id_, file=name)
        return [part.content async for part in self.stub.DownloadRunFile(request, metadata=TOKEN)]


def pairs(changes: tuple[tuple[str, str], ...]) -> list[run_pb2.SettingChange]:
    """Settings as a request has them."""
    return [run_pb2.SettingChange(key=key, value=value) for key, value in changes]


class Operator:
    """Knows every token as an operator's."""

    def caller_of(self, access_token: str, address: str) -> Caller:
        return Caller("olga", access_pb2.ROLE_OPERATOR, "session", address, FIRST_MS)

    def alive(self, caller: Caller) -> bool:
        return True


class OneWriter:
    """The store of commands, in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        return self._store.perform(act, *args)


class Clock:
    """A second passes whenever it is asked."""

    def __init__(self) -> None:
        self.now_ms = FIRST_MS

    def __call__(self) -> int:
        self.now_ms += 1000
        return self.now_ms


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened = Store.open(sqlite_url, lambda: FIRST_MS)
    yield opened
    opened.close()


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """A data folder: two hourly files, one of minutes, and what is none of a run's business."""
    folder = tmp_path / "candles"
    write_candles(folder / "btc.parquet", "BTC/USDT")
    write_candles(folder / "more" / "eth.parquet", "ETH/USDT")
    write_candles(folder / "minutes.parquet", "ETH/USDT", timeframe_ms=60_000, count=20)
    write_candles(tmp_path / "outside.parquet", "BTC/USDT")
    (folder / "link.parquet").symlink_to(tmp_path / "outside.parquet")
    (folder / "notes.csv").write_text("not,candles\n1,2\n")
    return folder


@pytest.fixture
async def server(
    tmp_path: Path, candles: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    """The server and its client; when the test ends, nothing unexpected may have happened."""
    monkeypatch.setenv("AUTOTRADER__EXCHANGE__API_SECRET", SECRET)
    settings = [Settings.model_validate({"exchange": {"api_key": SECRET, "api_secret": SECRET}})]
    changes: list[run_pb2.Run] = []
    manager = RunManager(tmp_path / "runs", candles, lambda: settings[0], Clock(), changes.append)
    manager.start()
    unexpected: list[tuple[str, Exception]] = []

    async def remember(method: str, error: Exception) -> None:
        unexpected.append((method, error))

    calls = Calls(Operator(), Commands(OneWriter(store), lambda: FIRST_MS), remember)
    served = grpc.aio.server(interceptors=[calls])
    run_pb2_grpc.add_RunServiceServicer_to_server(RunServicer(manager), served)
    port = served.add_insecure_port("127.0.0.1:0")
    await served.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = run_pb2_grpc.RunServiceStub(channel)
        yield Server(stub, manager, channel, tmp_path / "runs", candles, settings, changes)
    await served.stop(None)
    await manager.close()
    await asyncio.sleep(0)
    assert unexpected == []
