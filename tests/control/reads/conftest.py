"""A stored run behind a real gRPC server that has only the services of the stored facts."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, TypeVarTuple

import grpc
import pytest
from sqlalchemy import Connection, Engine, Table, select

from actors.persistence.engine_url import open_engine
from actors.persistence.runs import Mode, Run, RunSetup
from actors.persistence.store import Store
from autotrader.v1 import (
    access_pb2,
    decision_pb2_grpc,
    log_pb2_grpc,
    market_pb2_grpc,
    portfolio_pb2,
    portfolio_pb2_grpc,
)
from control.caller import Caller
from control.calls import Calls
from control.commands import Commands
from control.reads import Reads
from control.services.decisions import DecisionServicer
from control.services.logs import LogServicer
from control.services.market import MarketServicer
from control.services.portfolio import PortfolioServicer
from tests.databases import database_url, postgresql_url, sqlite_url
from tests.support.runs import FIRST_OPEN_MS, RandomRun, rules_of

__all__ = ["database_url", "postgresql_url", "sqlite_url"]

CANDLES = 300
HELD = portfolio_pb2.Position(symbol="BTC/USDT", amount_base="0.10000", closing=True)
TOKEN = (("authorization", "Bearer of the test"),)
Row = dict[str, Any]
Given = TypeVarTuple("Given")
Got = TypeVar("Got")


@dataclass
class Stored:
    """A run that goes on: what was stored, and how to store more."""

    store: Store
    source: RandomRun
    run: Run
    url: str
    engine: Engine

    def go_on(self, candles: int) -> None:
        """Store the next candles and what follows from them, and a line of the log."""
        entries = self.source.entries(candles)
        self.store.append(self.run.id, entries, self.source.engine.state)
        self.store.log("warning", "control", "test", f"{100 * candles} %_Done\\ at {entries[-1].sequence}")

    def rows(self, table: Table, *order: str) -> list[Row]:
        """Every row of the run (of the log: every line), sorted by these columns."""
        with self.engine.connect() as connection:
            found = [dict(row) for row in connection.execute(select(table)).mappings()]
        return sorted(found, key=lambda row: [row[name] for name in order])


@dataclass
class Client:
    """Stubs of the services, and the errors that nobody foresaw."""

    portfolio: "portfolio_pb2_grpc.PortfolioServiceAsyncStub"
    decisions: "decision_pb2_grpc.DecisionServiceAsyncStub"
    market: "market_pb2_grpc.MarketServiceAsyncStub"
    logs: "log_pb2_grpc.LogServiceAsyncStub"
    channel: grpc.aio.Channel
    unexpected: list[tuple[str, Exception]] = field(default_factory=list)


class _Anybody:
    """Knows every token as a viewer's."""

    def caller_of(self, access_token: str, address: str) -> Caller:
        return Caller("viewer", access_pb2.ROLE_VIEWER, "session", address, FIRST_OPEN_MS)

    def alive(self, caller: Caller) -> bool:
        return True


class _NoWrites:
    """The store of a server without commands."""

    async def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        raise AssertionError("a read wrote")


@pytest.fixture
def stored(database_url: str) -> Iterator[Stored]:
    """A run of two symbols with some hundred candles, stored in batches."""
    store = Store.open(database_url, lambda: FIRST_OPEN_MS)
    source = RandomRun(rules_of(), seed=11)
    setup = RunSetup(Mode.PAPER, source="a random walk", simulated=True)
    run = store.begin(setup, source.started)
    engine = open_engine(database_url, read_only=True)
    begun = Stored(store, source, run, database_url, engine)
    for _ in range(CANDLES // 50):
        begun.go_on(50)
    yield begun
    engine.dispose()
    store.close()


@pytest.fixture
def reads(stored: Stored) -> Iterator[Reads]:
    """Reads of the stored run."""
    opened = Reads.open(stored.url, stored.run)
    yield opened
    opened.close()


@pytest.fixture
async def client(reads: Reads) -> AsyncIterator[Client]:
    """A client of a server on a free port; when the test ends, nothing unexpected may have happened."""
    unexpected: list[tuple[str, Exception]] = []

    async def remember(method: str, error: Exception) -> None:
        unexpected.append((method, error))

    calls = Calls(_Anybody(), Commands(_NoWrites(), lambda: FIRST_OPEN_MS), remember)
    server = grpc.aio.server(interceptors=[calls])
    add_services(server, reads)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=[_SignedIn()]) as channel:
        yield _client(channel, unexpected)
    await server.stop(None)
    assert unexpected == []


def add_services(server: grpc.aio.Server, reads: Reads) -> None:
    """The services of the stored facts."""
    market: Any = MarketServicer  # abstract: its stream is added elsewhere
    portfolio_pb2_grpc.add_PortfolioServiceServicer_to_server(
        PortfolioServicer(reads, lambda: [HELD]), server
    )
    decision_pb2_grpc.add_DecisionServiceServicer_to_server(DecisionServicer(reads), server)
    market_pb2_grpc.add_MarketServiceServicer_to_server(market(reads), server)
    log_pb2_grpc.add_LogServiceServicer_to_server(LogServicer(reads), server)


class _SignedIn(grpc.aio.UnaryUnaryClientInterceptor):
    """Sends a token with each call."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(metadata=TOKEN), request)


def _client(channel: grpc.aio.Channel, unexpected: list[tuple[str, Exception]]) -> Client:
    return Client(
        portfolio_pb2_grpc.PortfolioServiceStub(channel),
        decision_pb2_grpc.DecisionServiceStub(channel),
        market_pb2_grpc.MarketServiceStub(channel),
        log_pb2_grpc.LogServiceStub(channel),
        channel,
        unexpected,
    )
