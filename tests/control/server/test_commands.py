"""Commands through the whole server: done once, audited, in time, and with the right proof."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.persistence.reader import Reader
from actors.persistence.store import Store
from autotrader.v1 import audit_pb2
from tests.support.control_client import PASSWORDS, Control, bearer, connected, new_id, path_of, request_of
from tests.support.control_process import ROOT, STRATEGIES, EngineProcess
from tests.support.crashes import forget_the_end
from trading.events import ChangeLimits, Kill, Pause
from trading.journal import Entry

# A strategy of the user's that hangs as long as there is a file `hang` beside it.
SLEEPER = '''
import time
from pathlib import Path
from trading.signals import hold
from trading.strategies.base import Strategy

HANG = Path({hang!r})

class Sleeper(Strategy):
    """Hangs when it is told to."""

    def analyze(self, market, news):
        while HANG.exists():
            time.sleep(0.02)
        return hold()
'''


def with_sleeper(folder: Path) -> EngineProcess:
    """An engine with a strategy that can hang."""
    file = folder / "sleeper.py"
    file.write_text(SLEEPER.format(hang=str(folder / "hang")))
    more = f'\n[[strategies]]\nname = "sleeper"\ntype = "sleeper"\npath = "{file}"\nweight = 0.1\n'
    return EngineProcess(folder, strategies=STRATEGIES + more)


@pytest.fixture(scope="module")
def commanded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineProcess, dict[str, str]]]:
    """An engine that takes commands, and its callers' tokens."""
    engine = with_sleeper(tmp_path_factory.mktemp("commanded")).start()
    yield engine, asyncio.run(accounts_of(engine))
    (engine.folder / "hang").unlink(missing_ok=True)
    engine.stop()


async def accounts_of(engine: EngineProcess) -> dict[str, str]:
    async with connected(engine.target) as anybody:
        owner = await anybody.sign_in_locally(engine.credential["secret"])
        return {**await owner.make_accounts(), "local": owner.token}


@pytest.fixture
async def callers(commanded: tuple[EngineProcess, dict[str, str]]) -> AsyncIterator[dict[str, Control]]:
    """A caller for each role."""
    engine, tokens = commanded
    async with connected(engine.target) as anybody:
        yield {role: anybody.as_(token) for role, token in tokens.items()}


@pytest.fixture
def engine(commanded: tuple[EngineProcess, dict[str, str]]) -> EngineProcess:
    return commanded[0]


def entries_of(engine: EngineProcess) -> list[Entry]:
    """The stored journal."""
    reader = Reader.open(f"sqlite:///{engine.database}")
    try:
        return list(reader.entries(reader.runs()[-1].id))
    finally:
        reader.close()


def done(engine: EngineProcess, kind: type[Any], request_id: str) -> int:
    """How often the engine did a command of this id, whoever gave it."""
    events = [entry.event for entry in entries_of(engine) if isinstance(entry.event, kind)]
    return sum(1 for event in events if event.request_id.endswith(f"/{request_id}"))


async def trail(admin: Control, request_id: str) -> list[audit_pb2.AuditEntry]:
    """What the audit trail says of a command, the oldest first; the trail must be whole."""
    verified = await admin.read("AuditService/VerifyAudit")
    assert verified.entries and not verified.first_broken_id
    found = await admin.read("AuditService/ListAuditEntries", page={"size": 1000})
    return [entry for entry in reversed(found.entries) if entry.request_id == request_id]


async def until(condition: Any, seconds: float = 30.0) -> Any:
    """What a question gives once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


async def test_command_sent_many_times_is_done_once_with_the_same_answer(
    callers: dict[str, Control], engine: EngineProcess
) -> None:
    path, request_id = path_of("EngineService/Pause"), new_id()
    raw = request_of(path, request_id=request_id).SerializeToString()
    unary: Any = callers["operator"].channel.unary_unary(path)

    async def send() -> bytes:
        answer: bytes = await unary(raw, metadata=bearer(callers["operator"].token), timeout=30)
        return answer

    at_once = await asyncio.gather(*(send() for _ in range(20)))
    later = [await send() for _ in range(3)]
    assert len({*at_once, *later}) == 1
    assert done(engine, Pause, request_id) == 1
    steps = await trail(callers["admin"], request_id)
    assert [step.result for step in steps] == ["asked", "OK"]
    assert (steps[0].account, steps[0].method, steps[0].address) == (
        "operator",
        "EngineService/Pause",
        "127.0.0.1",
    )


async def test_request_id_of_another_command_is_refused(callers: dict[str, Control]) -> None:
    request_id, operator = new_id(), callers["operator"]
    await operator.command("EngineService/Kill", request_id=request_id, reason="a drill")
    for method, fields in (
        ("EngineService/Kill", {"reason": "another reason"}),
        ("EngineService/Pause", {}),
        ("StrategyService/RemoveStrategy", {"name": "cross"}),
    ):
        answer = await operator.ask(method, request_id=request_id, **fields)
        assert (answer.code, answer.field) == ("INVALID_ARGUMENT", "request_id"), answer


async def test_request_id_of_another_account_is_a_command_of_its_own(
    callers: dict[str, Control], engine: EngineProcess
) -> None:
    request_id = new_id()
    for role in ("operator", "admin", "local"):
        await callers[role].command("EngineService/Kill", request_id=request_id, reason=f"of {role}")
    assert done(engine, Kill, request_id) == 3
    said = [(step.account, step.result) for step in await trail(callers["admin"], request_id)]
    assert said == [(role, result) for role in ("operator", "admin", "local") for result in ("asked", "OK")]


async def test_command_whose_caller_goes_away_ends_and_is_audited(
    callers: dict[str, Control], engine: EngineProcess
) -> None:
    path, request_id = path_of("AccountService/CreateAccount"), new_id()
    request = request_of(path, request_id=request_id, name="late", role=1, password="planted-password-late")
    async with connected(engine.target) as gone:
        unary: Any = gone.channel.unary_unary(path)
        call = unary(request.SerializeToString(), metadata=bearer(callers["admin"].token), timeout=30)

        async def asked() -> bool:
            return bool(await trail(callers["admin"], request_id))

        await until(asked)
        call.cancel()

    async def ended() -> bool:
        return [step.result for step in await trail(callers["admin"], request_id)] == ["asked", "OK"]

    await until(ended)
    accounts = (await callers["admin"].read("AccountService/ListAccounts")).accounts
    assert "late" in {account.name for account in accounts}


async def test_refused_command_is_audited_and_its_id_stays_its_own(callers: dict[str, Control]) -> None:
    admin, request_id = callers["admin"], new_id()
    refused = await admin.ask("StrategyService/RemoveStrategy", request_id=request_id, name="nobody")
    assert (refused.code, refused.field) == ("NOT_FOUND", "name")
    assert [step.result for step in await trail(admin, request_id)] == ["asked", "NOT_FOUND"]
    other = await admin.ask("EngineService/Pause", request_id=request_id)
    assert (other.code, other.field) == ("INVALID_ARGUMENT", "request_id")
    assert [step.result for step in await trail(admin, request_id)] == ["asked", "NOT_FOUND"]
    again = await admin.ask("StrategyService/RemoveStrategy", request_id=request_id, name="nobody")
    assert again.code == "NOT_FOUND"
    results = [step.result for step in await trail(admin, request_id)]
    assert results == ["asked", "NOT_FOUND"] * 2


async def test_kill_while_a_strategy_hangs_is_answered_within_a_second(
    callers: dict[str, Control], engine: EngineProcess
) -> None:
    operator, hang = callers["operator"], engine.folder / "hang"

    async def candles() -> int:
        status = (await operator.read("EngineService/GetStatus")).status
        return int(status.candles)

    hang.touch()
    before = -1
    while before != (now := await candles()):
        before = now
        await asyncio.sleep(0.5)
    began = time.monotonic()
    request_id = new_id()
    await operator.command("EngineService/Kill", request_id=request_id, reason="it hangs")
    assert time.monotonic() - began < 1.0
    assert done(engine, Kill, request_id) == 1
    off = {"name": "sleeper", "change": {"enabled": False}, "update_mask": {"paths": ["enabled"]}}
    await operator.command("StrategyService/UpdateStrategy", **off)
    stood = await candles()

    async def goes_on() -> bool:
        return await candles() > stood + 3

    await until(goes_on)
    hang.unlink()


async def test_reset_of_the_kill_switch_needs_an_admin_a_reason_and_their_password(
    callers: dict[str, Control],
) -> None:
    admin, method = callers["admin"], "EngineService/ResetKillSwitch"
    await callers["operator"].command("EngineService/Kill", reason="a drill")
    right = {"password": PASSWORDS["admin"]}

    async def refusal(who: str, **fields: Any) -> tuple[str, str]:
        answer = await callers[who].ask(method, request_id=new_id(), **fields)
        return answer.code, answer.reason

    given: dict[str, Any] = {
        "reason": "looked at it",
        "reauthentication": {"password": PASSWORDS["operator"]},
    }
    assert await refusal("operator", **given) == ("PERMISSION_DENIED", "ROLE_REQUIRED")
    assert await refusal("admin", reason="x") == ("PERMISSION_DENIED", "REAUTHENTICATION_REQUIRED")
    assert await refusal("admin", **given) == ("PERMISSION_DENIED", "REAUTHENTICATION_FAILED")
    assert await refusal("local", reason="x", reauthentication={"local_secret": "x"}) == (
        "PERMISSION_DENIED",
        "REAUTHENTICATION_FAILED",
    )
    assert await refusal("admin", reason="  ", reauthentication=right) == (
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
    )
    assert (await admin.read("EngineService/GetStatus")).status.killed

    async def flat() -> bool:
        return (
            await admin.ask(method, request_id=new_id(), reason="it is fixed", reauthentication=right)
        ).code == "OK"

    await until(flat)
    assert not (await admin.read("EngineService/GetStatus")).status.killed


async def test_limits_are_tightened_freely_and_loosened_with_a_password(callers: dict[str, Control]) -> None:
    admin, method = callers["admin"], "RiskService/UpdateLimits"

    def change(value: str, name: str = "daily_loss_limit_percent", **more: Any) -> dict[str, Any]:
        return {"request_id": new_id(), "changes": [{"name": name, "value": value}], **more}

    assert (await admin.ask(method, **change("10"))).code == "OK"
    for looser in (change("11"), change("0", "stop_loss_percent"), change("100", "kill_switch_percent")):
        refused = await admin.ask(method, **looser)
        assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "REAUTHENTICATION_REQUIRED")
    wrong = await admin.ask(method, **change("11", reauthentication={"password": "not the password"}))
    assert wrong.reason == "REAUTHENTICATION_FAILED"
    assert (
        await admin.ask(method, **change("11", reauthentication={"password": PASSWORDS["admin"]}))
    ).code == "OK"
    bad = await admin.ask(method, **change("101"))
    assert (bad.code, bad.field) == ("INVALID_ARGUMENT", "changes[0].value")


async def test_limits_changed_at_once_are_all_in_force(
    callers: dict[str, Control], engine: EngineProcess
) -> None:
    wanted = {"max_open_positions": "4", "max_orders_per_minute": "21", "daily_loss_limit_percent": "7"}
    changes = [[{"name": name, "value": value}] for name, value in wanted.items()]
    admin = callers["admin"]
    await asyncio.gather(*(admin.command("RiskService/UpdateLimits", changes=each) for each in changes))
    limits = (await admin.read("RiskService/GetLimits")).limits
    assert {each.name: each.value for each in limits if each.name in wanted} == wanted
    last = [entry.event for entry in entries_of(engine) if isinstance(entry.event, ChangeLimits)][-1].limits
    assert (last.max_open_positions, last.max_orders_per_minute) == (4, 21)
    assert last.daily_loss_limit_percent == 7_000_000


async def test_answers_and_changes_survive_a_crash_until_they_are_reset(own_engine: EngineProcess) -> None:
    own_engine.start()
    pause = {"request_id": new_id()}
    async with connected(own_engine.target) as anybody:
        owner = await anybody.sign_in_locally(own_engine.credential["secret"])
        await owner.make_accounts()
        first = await owner.command("EngineService/Pause", **pause)
        tighter = [{"name": "max_open_positions", "value": "2"}]
        await owner.command("RiskService/UpdateLimits", changes=tighter)
        lighter = {"name": "technical", "change": {"weight": "0.25"}, "update_mask": {"paths": ["weight"]}}
        await owner.command("StrategyService/UpdateStrategy", **lighter)
        await owner.command("StrategyService/AddStrategy", name="later", type="momentum")
        expected = await in_force(owner)
        assert expected == ("2", {"cross": "2", "technical": "0.25", "later": "1"})
    own_engine.kill()
    own_engine.start()
    async with connected(own_engine.target) as anybody:
        await anybody.sign_in("viewer", PASSWORDS["viewer"])
        owner = await anybody.sign_in_locally(own_engine.credential["secret"])
        again = await owner.command("EngineService/Pause", **pause)
        assert again.SerializeToString() == first.SerializeToString()
        assert await in_force(owner) == expected
        assert not (await owner.read("AuditService/VerifyAudit")).first_broken_id
    assert done(own_engine, Pause, pause["request_id"]) == 1
    own_engine.stop()
    reset = [sys.executable, "-m", "cli", "config", "reset", "--config", str(own_engine.config)]
    subprocess.run(reset, cwd=ROOT, env=own_engine.environment, check=True, capture_output=True)
    own_engine.start()
    async with connected(own_engine.target) as anybody:
        owner = await anybody.sign_in_locally(own_engine.credential["secret"])
        assert await in_force(owner) == ("5", {"cross": "2", "technical": "1"})
    own_engine.stop()


async def test_strategy_command_that_broke_off_after_its_effect_is_answered(
    own_engine: EngineProcess,
) -> None:
    own_engine.start()
    for method, fields, seats in (
        ("AddStrategy", {"name": "later", "type": "momentum"}, ["cross", "technical", "later"]),
        ("RemoveStrategy", {"name": "technical"}, ["cross", "later"]),
    ):
        given = {"request_id": new_id(), **fields}
        async with connected(own_engine.target) as anybody:
            owner = await anybody.sign_in_locally(own_engine.credential["secret"])
            await owner.command(f"StrategyService/{method}", **given)
        own_engine.kill()
        store = Store.open(f"sqlite:///{own_engine.database}", lambda: 0)
        store.perform(forget_the_end)
        store.close()
        own_engine.start()
        async with connected(own_engine.target) as anybody:
            owner = await anybody.sign_in_locally(own_engine.credential["secret"])
            await owner.command(f"StrategyService/{method}", **given)
            results = [step.result for step in await trail(owner, given["request_id"])]
            assert results == ["asked", "asked", "OK"]
            strategies = (await owner.read("StrategyService/ListStrategies")).strategies
            assert [each.name for each in strategies] == seats
            refused = await owner.ask(f"StrategyService/{method}", **{**given, "request_id": new_id()})
            assert refused.code in {"ALREADY_EXISTS", "NOT_FOUND"}
    own_engine.stop()


async def in_force(owner: Control) -> tuple[str, dict[str, str]]:
    """A limit, and the weights of the strategies."""
    limits = (await owner.read("RiskService/GetLimits")).limits
    (most,) = (each.value for each in limits if each.name == "max_open_positions")
    strategies = (await owner.read("StrategyService/ListStrategies")).strategies
    return most, {each.name: each.weight for each in strategies}
