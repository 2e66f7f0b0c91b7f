"""What the tests of accounts share: a real database, a clock that is set by hand, chance that repeats."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import grpc
import pytest
from sqlalchemy import Connection

from actors.persistence import audit_trail
from actors.persistence.audit_trail import AuditEntry
from actors.persistence.store import Store
from autotrader.v1 import account_pb2_grpc, audit_pb2_grpc, session_pb2_grpc
from control.auth.identity import Identity
from control.auth.keys import Keys
from control.auth.local import Credential, write_credential
from control.auth.tokens import ACCESS_LIFE_MS
from control.calls import Calls
from control.commands import Commands
from control.faults import Fault
from control.reads import Reads
from control.services.accounts import AccountServicer
from control.services.audit import AuditServicer
from control.services.sessions import SessionServicer
from tests.actors.persistence.conftest import PAPER
from tests.databases import sqlite_url
from tests.support.runs import RandomRun, rules_of

__all__ = ["sqlite_url"]

NOW_MS = 1_700_000_000_000
ENGINE_ID = "0123456789ab"
LOCAL_SECRET = "the-secret-of-the-credential-file"
PASSWORD = "correct horse battery"
HOME = "203.0.113.5"

Given = TypeVarTuple("Given")
Got = TypeVar("Got")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        return self.ms


class AsyncStore:
    """The store as the control plane sees it: another process would answer as late."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        return await asyncio.to_thread(lambda: self.store.perform(act, *args))

    def trail(self) -> list[AuditEntry]:
        """The audit trail, the oldest first, which must be whole."""
        assert self.store.perform(audit_trail.problems) == []
        return self.store.perform(audit_trail.page, None, "", 1000)[::-1]


def refusal(fault: pytest.ExceptionInfo[Fault]) -> tuple[str, str]:
    """The code and the reason of a fault."""
    return fault.value.code.name, fault.value.reason


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def random_bytes() -> Callable[[int], bytes]:
    return random.Random(4).randbytes


@pytest.fixture
def store(sqlite_url: str, clock: Clock) -> Iterator[AsyncStore]:
    opened = Store.open(sqlite_url, clock)
    yield AsyncStore(opened)
    opened.close()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock, random_bytes: Callable[[int], bytes]) -> Keys:
    return Keys.open(tmp_path / "keys", clock(), ACCESS_LIFE_MS, random_bytes)


@pytest.fixture
async def identity(
    store: AsyncStore, keys: Keys, clock: Clock, random_bytes: Callable[[int], bytes]
) -> Identity:
    return await Identity.open(store, keys, ENGINE_ID, LOCAL_SECRET, clock, random_bytes)


async def unexpected(where: str, error: Exception) -> None:
    """An error that nobody foresaw fails the test."""
    raise AssertionError(f"unexpected in {where}") from error


@pytest.fixture
async def target(
    identity: Identity,
    store: AsyncStore,
    sqlite_url: str,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[str]:
    """The services of accounts on a free port, and the owner's credential file."""
    run = store.store.begin(PAPER, RandomRun(rules_of(), seed=1).started)
    reads = Reads.open(sqlite_url, run)
    server = grpc.aio.server(interceptors=[Calls(identity, Commands(store, clock), unexpected)])
    session_pb2_grpc.add_SessionServiceServicer_to_server(SessionServicer(identity, clock), server)
    account_pb2_grpc.add_AccountServiceServicer_to_server(AccountServicer(identity, clock), server)
    audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditServicer(reads), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("AUTOTRADER_TOKEN", raising=False)
    monkeypatch.delenv("AUTOTRADER_PASSWORD", raising=False)
    write_credential("127.0.0.1", port, Credential(f"127.0.0.1:{port}", "", LOCAL_SECRET, "", "", 1))
    yield f"127.0.0.1:{port}"
    await server.stop(None)
    reads.close()
