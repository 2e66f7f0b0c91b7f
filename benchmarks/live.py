"""`python -m benchmarks.live`: a live engine on a local exchange; about four minutes on two cores.

From a candle's close at the exchange to the entry there, with everything between stored durably; and from the
death of a process, or of all, until the engine has bought again (a candle that buys closes every second).
"""

import argparse
import json
import statistics
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import machine
from tests.support.live.whole import ACTORS, WholeEngine
from trading.state import EngineState

START_SECONDS = 120.0
CANDLE = "candle close to entry at the exchange"
VICTIMS = [name for name in ACTORS if name not in ("raylet", "gcs")]


def entry_ms(engine: WholeEngine) -> float:
    """From a close that buys to the entry at the exchange, in ms; the position is sold again."""
    known = len(engine.truth().requests)
    closed_at = time.monotonic()
    engine.close_candle("BUY")
    engine.until(holds)
    entries = [each for each in engine.truth().requests[known:] if each.params.get("side") == "BUY"]
    engine.get_ready()
    engine.close_candle("SELL")
    engine.until(lambda state: not holds(state))
    engine.get_ready()
    return 1000 * (entries[0].at_s - closed_at)


def recovery_seconds(engine: WholeEngine, victim: str) -> float:
    """From the death of an actor, or of everything, until it has bought again; it is sold afterwards."""
    engine.get_ready()
    engine.kill(victim)
    killed_at = time.monotonic()
    if not engine.running:
        engine.start()
    while not _buys(engine):
        if time.monotonic() > killed_at + START_SECONDS:
            raise TimeoutError(f"{victim} killed: nothing was bought; {engine.told()}")
    seconds = time.monotonic() - killed_at
    engine.get_ready()
    engine.close_candle("SELL")
    engine.until(lambda state: not holds(state))
    return seconds


def holds(state: EngineState) -> bool:
    """Whether anything is held."""
    return any(each.position for each in state.symbols.values())


def _buys(engine: WholeEngine) -> bool:
    engine.close_candle("BUY")
    with suppress(AssertionError):
        engine.until(holds, 1)
        return True
    return False


def measured(entries: int, repeats: int) -> dict[str, list[float]]:
    """All samples: entries in ms, recoveries in seconds."""
    with TemporaryDirectory(prefix="benchmarks-") as folder, WholeEngine(Path(folder)) as engine:
        engine.start()
        engine.get_ready(START_SECONDS)
        found = {CANDLE: [entry_ms(engine) for _ in range(entries)]}
        for victim in (*VICTIMS, "everything"):
            found[victim] = [recovery_seconds(engine, victim) for _ in range(repeats)]
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.entries, options.repeats)
    if options.json:
        print(json.dumps({"machine": machine(()), "samples": found}))
        return
    print(machine(()))
    times = sorted(found.pop(CANDLE))
    print(
        f"{CANDLE}: p50 {statistics.median(times):.1f} ms, p99 {times[round(0.99 * (len(times) - 1))]:.1f} ms"
    )
    for victim, seconds in found.items():
        print(
            f"{victim} killed, bought again: median {statistics.median(seconds):.1f} s, "
            f"at most {max(seconds):.1f} s"
        )


if __name__ == "__main__":
    main()
