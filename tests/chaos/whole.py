"""Random deaths of a whole engine as a user starts it: any of its processes, at any moment, on Ray."""

import random
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.live.whole import ACTORS, WholeEngine

VICTIMS = (*ACTORS, "driver", "everything")
KILLS_AN_ENGINE = 50
START_SECONDS = 120.0
LONGEST_WAIT_SECONDS = 2.0
FAULT_SECONDS = 2.0

Note = Callable[[int, str, str, str, list[str]], None]


def kill_of(seed: int, number: int, faults: Iterable[str]) -> tuple[str, float, str, random.Random]:
    """Kill `number` of a seed: whom, how long after a candle's close, and what the exchange does then."""
    chance = random.Random(f"whole-{seed}-{number}")
    victim, wait = chance.choice(VICTIMS), chance.uniform(0, LONGEST_WAIT_SECONDS)
    return victim, wait, chance.choice(list(faults)), chance


def kill_all_of(
    seed: int, left: list[int], rules: dict[str, dict[str, Any]], requests: Iterable[Any], note: Note
) -> None:
    """Each of these kills; after one that broke something a new engine goes on."""
    while left:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="autotrader-chaos-"))
            engine = stack.enter_context(WholeEngine(Path(folder)))
            engine.start()
            for _ in range(min(KILLS_AN_ENGINE, len(left))):
                number = left.pop(0)
                victim, wait, fault, chance = kill_of(seed, number, rules)
                request = chance.choice(list(requests))
                rule = {"path": "/order", **request, **rules[fault]} if rules[fault] else {}
                found = _kill(engine, victim, wait, rule)
                note(number, victim, fault, f"{wait:.2f} s after a close", found)
                if found:
                    break


def _kill(engine: WholeEngine, victim: str, wait: float, fault: dict[str, Any]) -> list[str]:
    """Let it trade, kill, wait until it is quiet; what is not as it must be then."""
    try:
        engine.get_ready(START_SECONDS)
    except AssertionError as error:
        return [f"before the kill: {error}"]
    state = engine.state()
    held = state is not None and any(each.position for each in state.symbols.values())
    if fault:
        engine.set_fault(**fault)
    engine.close_candle("SELL" if held else "BUY")
    time.sleep(wait)
    engine.kill(victim)
    time.sleep(FAULT_SECONDS)
    engine.exchange.call("clear")
    if not engine.running:
        engine.start()
    try:
        engine.get_ready(START_SECONDS)
    except AssertionError as error:
        return [f"after the kill: {error}", *engine.violations()]
    return engine.violations()
