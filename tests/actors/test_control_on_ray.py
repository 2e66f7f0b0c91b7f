"""The control plane beside a running engine on Ray: killed, it comes back; commands reach risk once."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.launch import RunningEngine, started, state_of
from autotrader.v1 import engine_pb2, event_pb2, risk_pb2, strategy_pb2
from cli.config import LoadedSettings
from cli.run_plans import paper_plan, with_control
from control.spec import CONTROL, Addresses
from tests.support.replays import settings_with
from tui.client.client import Client, connect, request_id
from tui.client.errors import ClientError
from tui.client.subscription import Back, Lost

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.timeout(300)]

Served = tuple[RunningEngine, Addresses]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A paper engine with its control plane on free ports."""
    settings = settings_with(
        database={"url": f"sqlite:///{tmp_path / 'paper.db'}"},
        feed={"source": "simulated", "seed": 1, "candles_per_second": 20},
        control={"listen": "127.0.0.1:0", "web_listen": "127.0.0.1:0"},
    )
    loaded = LoadedSettings(settings, {}, tmp_path / "autotrader.toml")
    with started(with_control(paper_plan(settings, None), loaded, {}).plan) as engine:
        addresses = engine.companion(CONTROL)
        monkeypatch.setenv("XDG_STATE_HOME", str(Path(addresses.credential).parents[1]))
        yield engine, addresses


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


async def test_commands_reach_the_engine_and_are_told_to_who_listens(served: Served) -> None:
    engine, addresses = served
    async with connect(addresses.grpc) as client:
        assert (await answered(client)).state == engine_pb2.ENGINE_STATE_RUNNING
        paused = await client.engine.Pause(engine_pb2.PauseRequest(request_id=request_id()))
        assert paused.result.sequence > 0
        status = (await client.engine.GetStatus(engine_pb2.GetStatusRequest())).status
        assert status.state == engine_pb2.ENGINE_STATE_PAUSED
        added = strategy_pb2.AddStrategyRequest(
            request_id=request_id(), name="quick", type="sma_cross", params={"fast": "3", "slow": "8"}
        )
        await client.strategies.AddStrategy(added)
        async with asyncio.timeout(60):
            async for update in client.subscribe([event_pb2.TOPIC_DECISIONS]):
                assert not isinstance(update, Lost | Back)
                votes = {vote.strategy for event in update.events for vote in event.decision.votes}
                if "quick" in votes:
                    break
        await client.engine.Kill(engine_pb2.KillRequest(request_id=request_id(), reason="test"))
        assert (
            await client.engine.GetStatus(engine_pb2.GetStatusRequest())
        ).status.killed == "test (by local)"
        await client.engine.Stop(engine_pb2.StopRequest(request_id=request_id()))
    assert engine.stop_asked()


async def test_killed_control_plane_comes_back_and_streams_go_on(served: Served) -> None:
    _, addresses = served
    async with connect(addresses.grpc) as client:
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


async def test_changes_hold_when_the_actors_behind_them_are_killed(served: Served) -> None:
    engine, addresses = served
    async with connect(addresses.grpc) as client:
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
        state = state_of(engine.progress())
        assert state is not None and state.rules.limits.daily_loss_limit_percent == 1_000_000
        async with asyncio.timeout(60):
            while "strategy-technical" in (names := {each.name for each in (await answered(client)).actors}):
                await asyncio.sleep(0.2)
        assert {"strategy-cross", "strategy-quick"} <= names


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
