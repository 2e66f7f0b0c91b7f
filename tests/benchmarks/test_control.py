"""The benchmarks of the control plane: all of them once, in a tiny form, and how figures are made."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.control.commits import Commit, Commits
from benchmarks.control.events import delays_ms
from benchmarks.control.figures import Figures, Target, figures_of
from benchmarks.control.killing import buys_of
from benchmarks.control.subscribers import Load, latencies_ms, rows_of
from benchmarks.memory import tree
from benchmarks.processes import ROOT
from tests.support.runs import RandomRun, rules_of
from trading.events import Kill, ResetKill

COMMAND = [sys.executable, "-m", "benchmarks.control"]


def measured(*options: str) -> dict[str, Any]:
    done = subprocess.run(
        [*COMMAND, "--json", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_benchmarks_of_a_running_engine_fill_every_row() -> None:
    sizes = ["--calls", "30", "--seconds", "3", "--kills", "2", "--starts", "1"]
    document = measured("--only", "read,web,event,kill,console", *sizes)
    rows = {row["measure"].partition(",")[0]: row for row in document["rows"]}
    counts = {name: len(row["samples"]) for name, row in rows.items()}
    assert counts.pop("event: commit to subscriber") > 5
    assert counts == {
        "read: GetStatus": 30, "read: ListPositions": 30, "read: ListTrades": 30, "web: GetStatus": 30,
        "kill: the command": 2, "kill: until nothing is held": 2, "kill: buys until the reset": 2,
        "console: start until SIMULATED": 1, "status: the whole command": 1,
    }  # fmt: skip
    for name in ("GetStatus", "ListPositions"):
        row = rows[f"read: {name}"]
        assert row["target"]["figure"] == pytest.approx(row["p50"] - row["beside"]["p50"])
    assert rows["kill: buys until the reset"]["target"]["reached"]
    assert sum(rows["kill: buys until the reset"]["beside"]["samples"]) > 0


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_subscribers_are_counted_and_all_are_kept() -> None:
    document = measured("--only", "subscribers", "--subscribers", "8", "--subscriber-seconds", "5")
    rows = {row["measure"].removeprefix("8 subscribers: "): row for row in document["rows"]}
    assert rows["streams kept"]["p50"] == 8
    assert len(rows["messages to each"]["samples"]) == 8
    assert min(rows["messages to each"]["samples"]) > 0.5
    assert len(rows["candle to intent"]["samples"]) >= 3
    assert rows["control's memory"]["p50"] > 50


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_interrupted_benchmark_leaves_no_engine_behind() -> None:
    command = [*COMMAND, "--only", "event", "--seconds", "600"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "measuring: event" not in process.stderr.readline():
            assert process.poll() is None
        started = tree(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert len(started) > 8
    until = time.monotonic() + 10
    while left := [pid for pid in started if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < until, left
        time.sleep(0.05)


def test_figures_are_the_nearest_ranks() -> None:
    figures = figures_of([*range(200, 0, -1)])
    assert (figures.p50, figures.p99) == (101, 198)
    assert figures.samples[0] == 200
    assert figures_of([7.0]).p99 == 7.0
    assert Target("", 1.0, 1.0).reached
    assert not Target("", 1.1, 1.0).reached


def test_delay_of_a_commit_ends_with_the_first_message_that_tells_of_it() -> None:
    commits = [Commit(4, 1.0), Commit(6, 1.1), Commit(7, 2.0)]
    told = [Commit(3, 0.9), Commit(6, 1.15), Commit(9, 2.5)]
    assert delays_ms(commits, told) == pytest.approx([150, 50, 500])


def test_latency_of_a_late_candle_is_that_of_the_others_and_its_lateness() -> None:
    hour = 3_600_000
    commits = Commits(10, [Commit(11, 5.03), Commit(13, 6.03), Commit(14, 7.28), Commit(15, 8.03)])
    decided = [(10, 4 * hour), (11, 5 * hour), (12, 6 * hour), (14, 7 * hour), (15, 8 * hour), (16, 9 * hour)]
    assert latencies_ms(commits, decided, 20.0) == pytest.approx([20, 20, 270, 20])


def test_subscribers_are_judged_by_the_ratio_of_p99() -> None:
    one = Figures(1.0)
    crowded, alone = Load(Figures(20, 90), one, one, (1.0, 1.1), 1), Load(Figures(10, 30), one, one)
    candle, _, kept, *_ = rows_of(alone, crowded)
    assert candle.target is not None and kept.target is not None
    assert candle.target.figure == 3.0 and not candle.target.reached
    assert not kept.target.reached


def test_buys_are_counted_between_kill_and_reset_and_outside() -> None:
    entries = RandomRun(rules_of(), seed=3).entries(600)
    kills = [entry.sequence for entry in entries if isinstance(entry.event, Kill)]
    resets = [entry.sequence for entry in entries if isinstance(entry.event, ResetKill)]
    killed, trading = buys_of(entries)
    assert kills and resets
    assert killed == [0] * len(kills)
    assert len(trading) == len(resets) + 1 and sum(trading) > 20
    # Without its kill, what was bought before the next one counts as trading.
    moved = [entry for entry in entries if entry.sequence not in resets]
    assert sum(buys_of(moved)[0]) > 0


def test_command_line_refuses_what_it_does_not_know() -> None:
    for option, said in (
        (["--only", "speed"], "'speed' is not one of read, "),
        (["--seconds", "601"], "'601' is not a whole number from 1 to 600"),
    ):
        done = subprocess.run([*COMMAND, *option], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert said in done.stderr
