"""One paper engine with its control plane, from its first trades to its restart; all tests share it."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from actors.launch import RunningEngine, started, state_of
from actors.persistence import tables
from actors.persistence.reader import Reader
from actors.strategy_spec import StrategySpec
from autotrader.v1 import engine_pb2, event_pb2, risk_pb2, strategy_pb2
from cli.run_plans import Planned, paper_plan, with_control
from cli.stored_settings import load_with_changes, stored_changes
from control.spec import CONTROL, Addresses
from tests.support.replays import wait_for
from trading.decisions import Noticed, OutcomeDecided
from trading.errors import InputError, OperationError
from trading.events import ChangeStrategy, Command, Pause, ResetKill, Resume
from trading.rules import Seat
from trading.state import EngineState
from tui.client.client import Client, connect, request_id
from tui.client.errors import ClientError
from tui.client.subscription import Back, Lost

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.timeout(300)]
numbers = count()
# Small positions, so that no loss ends the trading, however long the tests take.
SETTINGS = """
database.url = "sqlite:///{database}"
feed.candles_per_second = 50
control = {{ listen = "127.0.0.1:0", web_listen = "127.0.0.1:0" }}
risk = {{ stop_loss_percent = 1, position_size_percent = 1 }}

[[strategies]]
name = "cross"
type = "sma_cross"
params = {{ fast = 3, slow = 8 }}
weight = 2

[[strategies]]
name = "technical"
type = "technical"
valid_candles = 2
"""


class Paper:
    """A paper engine with its control plane on free ports, which can be started again."""

    planned: Planned
    engine: RunningEngine
    addresses: Addresses

    def __init__(self, folder: Path) -> None:
        self._config = folder / "autotrader.toml"
        self._config.write_text(SETTINGS.format(database=folder / "paper.db"))
        self._running = ExitStack()

    def plan(self) -> Planned:
        """How it runs with its settings and what was changed since."""
        loaded = load_with_changes(self._config)
        planned = paper_plan(loaded.settings, None)
        return with_control(planned, loaded, stored_changes(planned.plan.database_url))

    def start(self) -> None:
        """Start it, and wait until the control plane answers."""
        self.planned = self.plan()
        self.engine = self._running.enter_context(started(self.planned.plan))
        self.addresses = self.engine.companion(CONTROL)

    def stop(self) -> None:
        """End it."""
        self._running.close()

    def state(self) -> EngineState | None:
        """Its state, once it has one."""
        return state_of(self.engine.progress())

    def holds_something(self) -> bool:
        """Whether a position is open."""
        found = self.state()
        return found is not None and any(True for _ in found.positions())

    def voters(self) -> set[str]:
        """Who voted on the newest candles."""
        latest = [each for each in self.engine.progress().latest if isinstance(each, OutcomeDecided)]
        return {vote.strategy for decided in latest for vote in decided.outcome.votes}

    def do(self, kind: type[Command], **more: object) -> list[object]:
        """Give it a command."""
        return list(self.engine.command(kind(**facts(), **more)))  # type: ignore[arg-type]


def facts() -> dict[str, object]:
    return {"request_id": f"test-{next(numbers)}", "by": "test", "time_ms": 0}


@pytest.fixture(scope="module")
def paper(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    """The engine of this file; its tests run in the order in which they stand."""
    paper = Paper(tmp_path_factory.mktemp("paper"))
    paper.start()
    yield paper
    paper.stop()


@pytest.fixture(autouse=True)
def _credential(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(Path(paper.addresses.credential).parents[1]))


async def answered(client: Client) -> engine_pb2.EngineStatus:
    """The status, as soon as there is one."""
    async with asyncio.timeout(60):
        while True:
            try:
                status = (await client.engine.GetStatus(engine_pb2.GetStatusRequest())).status
            except ClientError:
                await asyncio.sleep(0.2)
                continue
            if status.candles and any(actor.name == CONTROL for actor in status.actors):
                return status
            await asyncio.sleep(0.2)


def test_tables_hold_what_happened(paper: Paper) -> None:
    reader = Reader.open(paper.planned.plan.database_url)
    wanted = [
        tables.orders,
        tables.fills,
        tables.trades,
        tables.decisions,
        tables.equity,
        tables.daily_stats,
    ]

    def all_are_there() -> bool:
        return all(reader.newest(table, paper.planned.run.id, 5) for table in wanted)

    wait_for(all_are_there)
    reader.close()


def test_same_request_twice_is_done_once(paper: Paper) -> None:
    pause = Pause(request_id="once", by="test", time_ms=0)
    assert any(isinstance(decision, Noticed) for decision in paper.engine.command(pause))
    assert paper.engine.command(pause) == []
    paper.do(Resume)


def test_second_engine_on_the_database_is_refused(paper: Paper) -> None:
    with pytest.raises(OperationError, match="another engine"):
        paper.plan()


def test_strategies_change_while_running(paper: Paper) -> None:
    wait_for(lambda: paper.voters() == {"cross", "technical"})
    paper.do(ChangeStrategy, name="technical", enabled=False)
    wait_for(lambda: paper.voters() == {"cross"})
    seat = Seat("late", 1_000_000, warmup_candles=20)
    paper.engine.add_strategy(StrategySpec("late", "breakout"), seat, **facts())
    wait_for(lambda: paper.voters() == {"cross", "late"})
    paper.do(ChangeStrategy, name="technical", enabled=True, weight=5_000_000)
    wait_for(lambda: paper.voters() == {"cross", "technical", "late"})
    paper.engine.remove_strategy("late", **facts())
    wait_for(lambda: paper.voters() == {"cross", "technical"})
    with pytest.raises(InputError, match="there is no strategy 'cros'; did you mean 'cross'"):
        paper.do(ChangeStrategy, name="cros", weight=1)


async def test_killed_control_plane_comes_back_and_streams_go_on(paper: Paper) -> None:
    async with connect(paper.addresses.grpc) as client:
        first = await answered(client)
        process = next(actor.process_id for actor in first.actors if actor.name == CONTROL)
        updates = client.subscribe([event_pb2.TOPIC_STATUS])
        sequence, seen = 0, []
        async with asyncio.timeout(120):
            async for update in updates:
                if isinstance(update, Lost | Back):
                    seen.append(type(update))
                    continue
                if not seen and process:
                    os.kill(process, signal.SIGKILL)
                    process = 0
                assert update.sequence >= sequence
                sequence = update.sequence
                if Back in seen:
                    break
        assert seen[0] is Lost and sequence > first.sequence


async def test_changes_hold_when_the_actors_behind_them_are_killed(paper: Paper) -> None:
    async with connect(paper.addresses.grpc) as client:
        await answered(client)
        change = risk_pb2.LimitChange(name="daily_loss_limit_percent", value="1")
        await client.risk.UpdateLimits(
            risk_pb2.UpdateLimitsRequest(request_id=request_id(), changes=[change])
        )
        added = strategy_pb2.AddStrategyRequest(
            request_id=request_id(), name="quick", type="sma_cross", params={"fast": "3", "slow": "8"}
        )
        await client.strategies.AddStrategy(added)
        gone = strategy_pb2.RemoveStrategyRequest(request_id=request_id(), name="technical")
        await client.strategies.RemoveStrategy(gone)
        for name in ("risk", "supervisor", CONTROL):
            await killed(client, name)
        assert await seats(client) == ["cross", "quick"]
        limits = (await client.risk.GetLimits(risk_pb2.GetLimitsRequest())).limits
        assert {each.name: each.value for each in limits}["daily_loss_limit_percent"] == "1"
        state = paper.state()
        assert state is not None and state.rules.limits.daily_loss_limit_percent == 1_000_000
        async with asyncio.timeout(60):
            while "strategy-technical" in (names := {each.name for each in (await answered(client)).actors}):
                await asyncio.sleep(0.2)
        assert {"strategy-cross", "strategy-quick"} <= names


async def test_commands_reach_the_engine_and_are_told_to_who_listens(paper: Paper) -> None:
    async with connect(paper.addresses.grpc) as client:
        assert (await answered(client)).state == engine_pb2.ENGINE_STATE_RUNNING
        await asyncio.to_thread(wait_for, paper.holds_something)
        paused = await client.engine.Pause(engine_pb2.PauseRequest(request_id=request_id()))
        assert paused.result.sequence > 0
        status = (await client.engine.GetStatus(engine_pb2.GetStatusRequest())).status
        assert status.state == engine_pb2.ENGINE_STATE_PAUSED
        added = strategy_pb2.AddStrategyRequest(
            request_id=request_id(), name="added", type="sma_cross", params={"fast": "3", "slow": "8"}
        )
        await client.strategies.AddStrategy(added)
        async with asyncio.timeout(60):
            async for update in client.subscribe([event_pb2.TOPIC_DECISIONS]):
                assert not isinstance(update, Lost | Back)
                votes = {vote.strategy for event in update.events for vote in event.decision.votes}
                if "added" in votes:
                    break
        await client.engine.Kill(engine_pb2.KillRequest(request_id=request_id(), reason="test"))
        assert (
            await client.engine.GetStatus(engine_pb2.GetStatusRequest())
        ).status.killed == "test (by local)"
        await client.engine.Stop(engine_pb2.StopRequest(request_id=request_id()))
    assert paper.engine.stop_asked()


def test_commands_are_stored_and_survive_a_restart(paper: Paper) -> None:
    killed = wait_for(lambda: (found := paper.state()) and found.verified_flat and found)
    assert killed.killed == "test (by local)" and killed.paused and killed.flat()
    with pytest.raises(InputError, match="reset of the kill switch needs a reason"):
        paper.do(ResetKill, why=" ")
    paper.stop()
    paper.start()
    again = wait_for(lambda: (found := paper.state()) and found.sequence > killed.sequence and found)
    assert again.killed and again.paused and again.flat()
    paper.do(ResetKill, why="tested")
    paper.do(Resume)
    wait_for(paper.holds_something)


async def killed(client: Client, name: str) -> None:
    """Kill an actor's process, and wait until another one is at work and candles go on."""
    before = await answered(client)
    process = next(each.process_id for each in before.actors if each.name == name)
    os.kill(process, signal.SIGKILL)
    async with asyncio.timeout(60):
        while True:
            now = await answered(client)
            again = [each.process_id for each in now.actors if each.name == name]
            if again and again[0] not in (0, process) and now.candles > before.candles:
                return
            await asyncio.sleep(0.2)


async def seats(client: Client) -> list[str]:
    """The names of the strategies, as risk knows them."""
    answer = await client.strategies.ListStrategies(strategy_pb2.ListStrategiesRequest())
    return [each.name for each in answer.strategies]
