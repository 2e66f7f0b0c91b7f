"""Commands around any service: bounded, patient with the database's writer, and noted without secrets."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from google.protobuf.message import Message
from sqlalchemy import Connection

from actors.persistence import audit_trail
from actors.persistence.audit_trail import AuditEntry
from actors.persistence.store import Store
from actors.ports import ActorLost
from autotrader.v1 import access_pb2, engine_pb2
from control import commands as module
from control.caller import Caller, acting
from control.commands import MOST_DETAIL, MOST_RUNNING, Commands
from control.contract import METHODS
from control.faults import Fault
from control.store import Given, Got
from tests.databases import sqlite_url
from trading.errors import OperationError

__all__ = ["sqlite_url"]

NOW_MS = 1_700_000_000_000
OLGA = Caller("olga", access_pb2.ROLE_OPERATOR, "session", "127.0.0.1", NOW_MS)
PAUSE, KILL = (METHODS[f"/autotrader.v1.EngineService/{name}"] for name in ("Pause", "Kill"))


class Restarting:
    """The database's writer; it is gone for the first `lost` writes, which are done when `late`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.lost = 0
        self.late = False

    async def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        if self.lost:
            self.lost -= 1
            if self.late:
                self._store.perform(act, *args)
            raise ActorLost("persistence died")
        return self._store.perform(act, *args)

    def trail(self) -> list[AuditEntry]:
        """The audit trail, the oldest first."""
        return self._store.perform(audit_trail.page, None, "", 1000)[::-1]


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Restarting]:
    opened = Store.open(sqlite_url, lambda: NOW_MS)
    yield Restarting(opened)
    opened.close()


@pytest.fixture
def commands(store: Restarting) -> Commands:
    return Commands(store, lambda: NOW_MS)


async def done() -> Message:
    """A command that is done at once."""
    return engine_pb2.PauseResponse()


def pause(request_id: str) -> engine_pb2.PauseRequest:
    return engine_pb2.PauseRequest(request_id=request_id)


@pytest.mark.parametrize("late", [False, True])
async def test_writer_that_is_away_for_a_while_is_waited_for_and_writes_once(
    commands: Commands, store: Restarting, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STORE_PAUSE_SECONDS", 0.001)
    again = []

    async def do() -> Message:
        again.append(acting().again)
        store.lost = 3
        return engine_pb2.PauseResponse()

    store.lost, store.late = 3, late
    await commands.once(PAUSE, OLGA, pause("request-1"), do)
    assert again == [False]
    assert [entry.result for entry in store.trail()] == ["asked", "OK"]


async def test_writer_that_stays_away_is_given_up(
    commands: Commands, store: Restarting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STORE_SECONDS", 0.0)
    store.lost = 1
    with pytest.raises(ActorLost):
        await commands.once(PAUSE, OLGA, pause("request-1"), done)
    assert store.trail() == []


async def test_ninth_command_at_once_is_refused_but_not_a_kill(commands: Commands) -> None:
    gate = asyncio.Event()

    async def wait() -> Message:
        await gate.wait()
        return engine_pb2.PauseResponse()

    tasks = [
        asyncio.ensure_future(commands.once(PAUSE, OLGA, pause(f"request-{number}"), wait))
        for number in range(MOST_RUNNING)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Fault, match="8 commands of olga") as fault:
        await commands.once(PAUSE, OLGA, pause("request-more"), done)
    assert (fault.value.code.name, fault.value.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_COMMANDS")
    kill = engine_pb2.KillRequest(request_id="request-kill")
    await commands.once(KILL, OLGA, kill, done)
    other = Caller("anna", access_pb2.ROLE_OPERATOR, "session", "127.0.0.1", NOW_MS)
    await commands.once(PAUSE, other, pause("request-more"), done)
    gate.set()
    await asyncio.gather(*tasks)
    await commands.once(PAUSE, OLGA, pause("request-more"), done)


@pytest.mark.parametrize(
    ("error", "result", "detail"),
    [
        (OperationError("gone\x1b[2J" + "x" * 2 * MOST_DETAIL), "UNAVAILABLE", "gone\\x1b[2Jxxx"),
        (KeyError("a password"), "INTERNAL", "KeyError"),
    ],
)
async def test_detail_of_a_failure_is_short_printable_and_holds_nothing_unforeseen(
    commands: Commands, store: Restarting, error: Exception, result: str, detail: str
) -> None:
    async def fail() -> Message:
        raise error

    with pytest.raises(type(error)):
        await commands.once(PAUSE, OLGA, pause("request-1"), fail)
    entry = store.trail()[-1]
    assert entry.result == result
    assert entry.detail.startswith(detail) and len(entry.detail) <= MOST_DETAIL
    assert "password" not in entry.detail
