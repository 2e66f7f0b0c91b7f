"""A running engine: strategies that fail, commands, restarts, and what it says of itself."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.launch import RunningEngine, started, state_of
from actors.persistence import tables
from actors.persistence.reader import Reader
from actors.ports import ActorLost
from actors.strategy_spec import StrategySpec
from cli.run_plans import Planned, paper_plan
from tests.support.replays import backtested, plan, run_to_end, settings_with, simulated_file, stored
from trading.decisions import Noticed, OutcomeDecided
from trading.errors import InputError, OperationError
from trading.events import ChangeStrategy, Command, Kill, Pause, ResetKill, Resume
from trading.rules import Seat
from trading.settings import Settings
from trading.state import EngineState

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.timeout(300)]
numbers = count()

RAISES = """
from trading.strategies import Strategy, buy, sell

class Moody(Strategy):
    memory_candles = 3

    def analyze(self, market, news):
        last = market.candles["close_ticks"][-1]
        if last % 3 == 0:
            raise RuntimeError("a bad day")
        return buy(80) if last % 3 == 1 else sell(80)
"""
DIES_ONCE = """
import os
import sys
from pathlib import Path
from typing import Any
from trading.strategies import Strategy, buy, sell

class Mortal(Strategy):
    memory_candles = 3

    def analyze(self, market, news):
        last = market.candles["close_ticks"][-1]
        mark = Path(__file__).with_name("died")
        on_ray = "default_worker" in sys.argv[0]
        if on_ray and market.candles["timestamp"].dt.hour()[-1] == 13 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return buy(80) if last % 2 else sell(80)
"""
HANGS = """
import time
from trading.strategies import Strategy, hold

class Slow(Strategy):
    memory_candles = 1

    def analyze(self, market, news):
        if market.candles["timestamp"].dt.day()[-1] == 15:
            time.sleep(3600)
        return hold()
"""


def own_strategy(folder: Path, name: str, code: str) -> dict[str, object]:
    path = folder / f"{name}.py"
    path.write_text(code)
    return {"name": name, "type": name, "path": str(path), "weight": 3}


def replay_with(folder: Path, code: str, name: str) -> tuple[Settings, dict[str, Path], Planned]:
    files = {"BTC/USDT": simulated_file(folder, "BTC/USDT", 600)}
    settings = settings_with(strategies=[own_strategy(folder, name, code)])
    return settings, files, plan(settings, files, folder / "out")


def test_strategy_that_raises_is_absent_and_replay_equals_the_backtest(tmp_path: Path) -> None:
    settings, files, planned = replay_with(tmp_path, RAISES, "moody")
    run_to_end(planned)
    expected = backtested(settings, files)
    assert expected.figures.trades > 5
    assert stored(planned).records.outcomes == expected.records.outcomes
    assert "[]" in expected.records.outcomes["votes"]


def test_strategy_that_dies_is_asked_again(tmp_path: Path) -> None:
    settings, files, planned = replay_with(tmp_path, DIES_ONCE, "mortal")
    run_to_end(planned)
    assert (tmp_path / "died").exists()
    assert stored(planned).records.outcomes == backtested(settings, files).records.outcomes


def test_strategy_that_hangs_ends_the_replay_with_a_sentence(tmp_path: Path) -> None:
    _, _, planned = replay_with(tmp_path, HANGS, "slow")
    with started(replace(planned.plan, silent_after_seconds=3)) as engine:
        failure = wait_for(engine, lambda: engine.progress().failure)
    assert failure.startswith("strategy 'slow' gave no answer for the candle of ")


def paper(folder: Path, speed: float = 200.0) -> Planned:
    url = f"sqlite:///{folder / 'paper.db'}"
    feed = {"source": "simulated", "seed": 1, "candles_per_second": speed}
    return paper_plan(settings_with(database={"url": url}, feed=feed), None)


def wait_for(engine: RunningEngine, question: Callable[[], Any], seconds: float = 120) -> Any:
    """Ask until the answer is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except ActorLost:
            pass
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def state(engine: RunningEngine) -> EngineState | None:
    return state_of(engine.progress())


def holds_something(engine: RunningEngine) -> bool:
    found = state(engine)
    return found is not None and any(True for _ in found.positions())


def facts() -> dict[str, object]:
    return {"request_id": f"test-{next(numbers)}", "by": "test", "time_ms": 0}


def do(engine: RunningEngine, kind: type[Command], **more: object) -> list[object]:
    return list(engine.command(kind(**facts(), **more)))  # type: ignore[arg-type]


def test_commands_on_a_running_engine_are_stored_and_survive_a_restart(tmp_path: Path) -> None:
    with started(paper(tmp_path).plan) as engine:
        wait_for(engine, lambda: holds_something(engine))
        do(engine, Kill)
        killed = wait_for(engine, lambda: (found := state(engine)) and found.verified_flat and found)
        assert killed.killed == "operator (by test)" and killed.flat()
        with pytest.raises(InputError, match="reset of the kill switch needs a reason"):
            do(engine, ResetKill, why=" ")
        do(engine, Pause)
    with started(paper(tmp_path).plan) as engine:
        again = wait_for(
            engine, lambda: (found := state(engine)) and found.sequence > killed.sequence and found
        )
        assert again.killed and again.paused and again.flat()
        do(engine, ResetKill, why="tested")
        do(engine, Resume)
        wait_for(engine, lambda: holds_something(engine))


def test_same_request_twice_is_done_once(tmp_path: Path) -> None:
    with started(paper(tmp_path, speed=5).plan) as engine:
        wait_for(engine, lambda: engine.progress().running)
        pause = Pause(request_id="once", by="test", time_ms=0)
        assert any(isinstance(decision, Noticed) for decision in engine.command(pause))
        assert engine.command(pause) == []


def voters(engine: RunningEngine) -> set[str]:
    latest = [each for each in engine.progress().latest if isinstance(each, OutcomeDecided)]
    return {vote.strategy for decided in latest for vote in decided.outcome.votes}


def test_strategies_change_while_running(tmp_path: Path) -> None:
    with started(paper(tmp_path, speed=50).plan) as engine:
        wait_for(engine, lambda: voters(engine) == {"cross", "technical"})
        do(engine, ChangeStrategy, name="technical", enabled=False)
        wait_for(engine, lambda: voters(engine) == {"cross"})
        seat = Seat("late", 1_000_000, warmup_candles=20)
        engine.add_strategy(StrategySpec("late", "breakout"), seat, **facts())
        wait_for(engine, lambda: voters(engine) == {"cross", "late"})
        do(engine, ChangeStrategy, name="technical", enabled=True, weight=5_000_000)
        wait_for(engine, lambda: voters(engine) == {"cross", "technical", "late"})
        engine.remove_strategy("late", **facts())
        wait_for(engine, lambda: voters(engine) == {"cross", "technical"})
        with pytest.raises(InputError, match="there is no strategy 'cros'; did you mean 'cross'"):
            do(engine, ChangeStrategy, name="cros", weight=1)


def test_second_engine_on_the_database_is_refused(tmp_path: Path) -> None:
    with started(paper(tmp_path, speed=5).plan) as engine:
        wait_for(engine, lambda: engine.progress().candles)
        with pytest.raises(OperationError, match="another engine"):
            paper(tmp_path)


def test_tables_hold_what_happened(tmp_path: Path) -> None:
    planned = paper(tmp_path)
    with started(planned.plan) as engine:
        wait_for(engine, lambda: engine.progress().candles > 600)
    reader = Reader.open(planned.plan.database_url)
    for table in (
        tables.orders,
        tables.fills,
        tables.trades,
        tables.decisions,
        tables.equity,
        tables.daily_stats,
    ):
        assert reader.newest(table, planned.run.id, 5), table.name
    reader.close()
