"""What is measured, by whom, and in which order: everything in turn, so that a busy minute hits all alike."""

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.job import SETTINGS_FILE, SYMBOL
from benchmarks.processes import Sample, Server, run_once
from benchmarks.sweeping import LONG_GRID, SWEEP_GRID, sweep

OURS, VECTORBT, BACKTESTING = "autotrader", "vectorbt", "backtesting.py"
PEERS = {VECTORBT: "benchmarks.peers.with_vectorbt", BACKTESTING: "benchmarks.peers.with_backtesting"}
ENGINES = ("benchmarks.engines.fast", "benchmarks.engines.reference")

# The tasks of measured processes by part, then the parts that are processes of their own.
TASKS = {"loop": "loop", "signals": "signals", "trial": "trial", "reference": "reference", "sweep": "trials"}
PARTS = (*TASKS, "process", "long")
SWEEP_WORKERS = (1, 2)
LONG_CANDLES = 10_000

Samples = dict[tuple[str, str], list[Sample]]


@dataclass(frozen=True)
class Take:
    """One thing that is measured again and again; `warm_up` does it once before, since it compiles."""

    name: str
    project: str
    run: Callable[[], Sample]
    warm_up: bool = True


def server_takes(servers: Sequence[tuple[str, Server]], parts: Collection[str]) -> list[Take]:
    """The tasks of these parts, each by every project that has it."""
    return [
        Take(task, project, partial(server.do, task))
        for task in (task for part, task in TASKS.items() if part in parts)
        for project, server in servers
        if task in server.tasks
    ]


def process_takes(file: Path, folder: Path, peers: Path | None) -> list[Take]:
    """Whole processes, from a Parquet file to what they print."""
    ours = [sys.executable, "-m", "cli", "backtest", "--data", f"{SYMBOL}={file}"]
    commands = {OURS: [*ours, "--config", str(SETTINGS_FILE)]}
    if peers is not None:
        for project, module in PEERS.items():
            commands[project] = [str(peers), "-m", module, str(file), "trial"]
    return [
        Take("process", project, partial(run_once, command, folder)) for project, command in commands.items()
    ]


def sweep_takes(file: Path, folder: Path) -> list[Take]:
    """The sweep of 1,000 trials by each number of workers."""
    return [
        Take(f"sweep {workers}", OURS, partial(sweep, file, SWEEP_GRID, workers, folder), warm_up=False)
        for workers in SWEEP_WORKERS
    ]


def long_take(file: Path, folder: Path) -> Take:
    """100,000 trials on a short file."""
    return Take("long", OURS, partial(sweep, file, LONG_GRID, max(SWEEP_WORKERS), folder), warm_up=False)


def measure(takes: Sequence[Take], repeats: int, say: Callable[[str], None]) -> Samples:
    """Every take so many times, all of them in turn."""
    for take in takes:
        if take.warm_up:
            say(f"warming up: {take.project}, {take.name}")
            take.run()
    samples: Samples = defaultdict(list)
    for repeat in range(repeats):
        for take in takes:
            say(f"{repeat + 1} of {repeats}: {take.project}, {take.name}")
            samples[take.name, take.project].append(take.run())
    return dict(samples)


def outcomes(samples: Mapping[tuple[str, str], Sequence[Sample]]) -> list[dict[str, str | float]]:
    """What came out of each task, so that one sees that all did the same job."""
    return [
        {"task": name, "project": project, **{key: taken[0].facts[key] for key in ("trades", "final_equity")}}
        for (name, project), taken in samples.items()
        if "trades" in taken[0].facts
    ]
