"""Strategies that fail, on a running engine."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.launch import started
from cli.run_plans import Planned
from tests.support.replays import (
    backtested,
    plan,
    run_to_end,
    settings_with,
    simulated_file,
    stored,
    wait_for,
)
from trading.settings import Settings

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.timeout(300)]

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


def replay_with(folder: Path, **codes: str) -> tuple[Settings, dict[str, Path], Planned]:
    files = {"BTC/USDT": simulated_file(folder, "BTC/USDT", 300)}
    strategies = [own_strategy(folder, name, code) for name, code in codes.items()]
    settings = settings_with(strategies=strategies)
    return settings, files, plan(settings, files, folder / "out")


def test_strategies_that_raise_and_die_are_absent_and_asked_again_and_replay_equals_the_backtest(
    tmp_path: Path,
) -> None:
    settings, files, planned = replay_with(tmp_path, moody=RAISES, mortal=DIES_ONCE)
    run_to_end(planned)
    assert (tmp_path / "died").exists()
    expected = backtested(settings, files)
    assert expected.figures.trades > 5
    assert stored(planned).records.outcomes == expected.records.outcomes
    votes = expected.records.outcomes["votes"]
    assert {("moody" in each, "mortal" in each) for each in votes} >= {(True, True), (False, True)}


def test_strategy_that_hangs_ends_the_replay_with_a_sentence(tmp_path: Path) -> None:
    _, _, planned = replay_with(tmp_path, slow=HANGS)
    with started(replace(planned.plan, silent_after_seconds=3)) as engine:
        failure = wait_for(lambda: engine.progress().failure)
    assert failure.startswith("strategy 'slow' gave no answer for the candle of ")
