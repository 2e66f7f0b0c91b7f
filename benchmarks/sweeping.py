"""`autotrader sweep`, watched from outside: its rate on the progress bar, its memory in /proc."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO

from benchmarks.job import SETTINGS_FILE, SWEEP_FAST, SWEEP_SLOW, SYMBOL
from benchmarks.memory import PAUSES, SHORTEST_PAUSE_SECONDS, Look, look
from benchmarks.processes import Sample, environment, failure
from trading.errors import OperationError

Grid = Mapping[str, range]
SWEEP_GRID: Grid = {"cross.fast": SWEEP_FAST, "cross.slow": SWEEP_SLOW}
LONG_GRID: Grid = {
    "cross.fast": range(5, 55),
    "cross.slow": range(60, 260, 5),
    "risk.stop_loss_percent": range(1, 51),
}


def sweep(file: Path, grid: Grid, workers: int, folder: Path) -> Sample:
    """One sweep in a process of its own. Raises OperationError when it fails.

    The seconds are those of trading, from the first trials done to the last, without the start of Ray and
    of the workers. Facts: `trials_per_second` in that time, `wall_seconds` of the whole command, `peak_mb`
    of all its processes, `driver_growth_mb` and `tree_growth_mb` while it traded.
    """
    bar, start = _Bar(count(grid)), time.perf_counter()
    with (folder / "sweep.json").open("w") as out:
        process = subprocess.Popen(
            _command(file, grid, workers),
            stdout=out,
            stderr=subprocess.PIPE,
            # The bar of a terminal, as wide as it needs.
            env=environment(TTY_COMPATIBLE="1", NO_COLOR="1", COLUMNS="200"),
            cwd=folder,
        )
    assert process.stderr is not None
    reader = threading.Thread(target=bar.read, args=(process.stderr,))
    reader.start()
    looks = _watched(process)
    wall_seconds = time.perf_counter() - start
    reader.join()
    if process.returncode:
        raise failure(process.args, BytesIO(bar.said))
    return _sample(bar, looks, wall_seconds)


def count(grid: Grid) -> int:
    """How many trials a grid has."""
    trials = 1
    for values in grid.values():
        trials *= len(values)
    return trials


def _command(file: Path, grid: Grid, workers: int) -> list[str]:
    command = [sys.executable, "-m", "cli", "sweep", "--data", f"{SYMBOL}={file}"]
    command += ["--config", str(SETTINGS_FILE), "--workers", str(workers), "--json"]
    for key, values in grid.items():
        command += ["--set", f"{key}={values[0]}:{values[-1]}:{values.step}"]
    return command


def _watched(process: "subprocess.Popen[bytes]") -> list[Look]:
    """The memory again and again until the process ends."""
    looks = []
    while process.poll() is None:
        start = time.perf_counter()
        looks.append(look(process.pid))
        pause = max(SHORTEST_PAUSE_SECONDS, PAUSES * (time.perf_counter() - start))
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            continue
    return looks


class _Bar:
    """The progress bar: when how many trials were done."""

    def __init__(self, trials: int) -> None:
        self.trials = trials
        self.seen: list[tuple[float, int]] = []
        self.said = b""
        self._count = re.compile(rf"(\d+)/{trials}\b".encode())

    def read(self, stderr: IO[bytes]) -> None:
        """Read to the end."""
        while chunk := os.read(stderr.fileno(), 65_536):
            # A count may come in two pieces; what was said long ago is not needed.
            self.said = (self.said + chunk)[-8_192:]
            counts = self._count.findall(self.said)
            if counts and int(counts[-1]) > (self.seen[-1][1] if self.seen else 0):
                self.seen.append((time.perf_counter(), int(counts[-1])))


def _sample(bar: _Bar, looks: list[Look], wall_seconds: float) -> Sample:
    if not bar.seen or bar.seen[-1][1] < bar.trials:
        raise OperationError("the sweep did not show how far it was: benchmarks read its progress bar")
    (first_at, first), (last_at, last) = bar.seen[0], bar.seen[-1]
    facts = {"wall_seconds": wall_seconds, "peak_mb": max(each.tree_mb for each in looks)}
    if last > first:
        facts["trials_per_second"] = (last - first) / (last_at - first_at)
    trading = [each for each in looks if first_at <= each.at <= last_at]
    if trading:
        facts["driver_growth_mb"] = max(each.root_mb for each in trading) - trading[0].root_mb
        facts["tree_growth_mb"] = max(each.tree_mb for each in trading) - trading[0].tree_mb
    return Sample(last_at - first_at, facts)
