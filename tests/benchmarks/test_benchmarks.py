"""The benchmarks' own parts on few candles: every engine does the same job, and what is reported adds up."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import sample_file
from benchmarks.engines import fast, reference
from benchmarks.job import SETTINGS_FILE, SYMBOL, the_job
from benchmarks.measures import BACKTESTING, OURS, VECTORBT, measure, process_takes, server_takes
from benchmarks.memory import look, tree
from benchmarks.processes import ROOT, Sample, environment, run_once, serving
from benchmarks.report import Report
from benchmarks.rows import rows_of
from benchmarks.serving import timed
from benchmarks.sweeping import LONG_GRID, SWEEP_GRID, count, sweep
from cli.config_files import read_toml
from trading.errors import OperationError
from trading.settings import parse_settings

CANDLES = 2_000


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_file(tmp_path_factory.mktemp("benchmarks"), CANDLES)


def test_engines_do_the_same_job_as_the_command(candles: Path, tmp_path: Path) -> None:
    tasks = {**fast.tasks_on(candles), **reference.tasks_on(candles)}
    ended = {name: timed(tasks[name]) for name in ("loop", "signals", "trials", "loop", "trial", "reference")}
    many = ended.pop("trials")
    command = [sys.executable, "-m", "cli", "backtest", "--data", f"{SYMBOL}={candles}", "--json"]
    done = subprocess.run(
        [*command, "--config", str(SETTINGS_FILE)],
        env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    summary = json.loads(done.stdout)
    assert summary["trades"] > 10
    assert {each["trades"] for each in ended.values()} == {summary["trades"]}
    for each in ended.values():
        assert each["final_equity"] == pytest.approx(summary["final_equity"], rel=1e-12)
    assert many["trades"] > summary["trades"]


def test_job_read_by_the_peers_equals_the_settings() -> None:
    settings = parse_settings(read_toml(SETTINGS_FILE))
    job = the_job()
    assert dict(settings.strategies[0].params) == {"fast": job.fast, "slow": job.slow}
    percents = (
        settings.costs.fee_percent,
        settings.risk.position_size_percent,
        settings.risk.stop_loss_percent,
    )
    assert [float(each) / 100 for each in percents] == pytest.approx([job.fee, job.size, job.stop])
    assert settings.engine.symbols == (SYMBOL,)
    assert settings.costs.slippage_percent == 0
    assert float(settings.engine.initial_capital_quote) == job.capital


def test_samples_of_processes_become_rows_and_a_document(candles: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with serving([sys.executable, "-m", "benchmarks.engines.fast"], candles, tmp_path) as server:
        takes = server_takes([(OURS, server)], {"loop", "trial"}) + process_takes(candles, tmp_path, None)
        samples = measure(takes, 2, said.append)
    assert {key: len(taken) for key, taken in samples.items()} == {
        ("loop", OURS): 2, ("trial", OURS): 2, ("process", OURS): 2,
    }  # fmt: skip
    assert len(said) == 3 * 3
    document = Report("here", CANDLES, 2, samples).document()
    rows = {row["measure"]: row["values"][OURS] for row in document["rows"]}
    taken = [sample.seconds for sample in samples["loop", OURS]]
    assert CANDLES / max(taken) <= rows["loop alone"] <= CANDLES / min(taken)
    assert 0 < rows["memory of these"] < 2_000
    assert rows["process: whole"] > 0 and rows["process: memory"] > 20
    assert len({(each["trades"], each["final_equity"]) for each in document["outcomes"]}) == 1


def test_row_is_times_better_where_more_or_less_is_better() -> None:
    samples = {
        ("trial", OURS): [Sample(0.1), Sample(0.3), Sample(0.2)],
        ("trial", VECTORBT): [Sample(1.0)],
        ("process", OURS): [Sample(2.0, {"peak_mb": 300})],
        ("process", BACKTESTING): [Sample(1.0, {"peak_mb": 150})],
    }
    rows = {row.title: row for row in rows_of(samples, CANDLES)}
    assert rows["trial, all figures"].values == {OURS: pytest.approx(5), VECTORBT: 1}
    assert rows["trial, all figures"].times_better(VECTORBT) == pytest.approx(5)
    assert rows["trial, all figures"].times_better(BACKTESTING) is None
    assert (
        rows["process: whole"].times_better(BACKTESTING)
        == rows["process: memory"].times_better(BACKTESTING)
        == 0.5
    )


def test_process_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no more')"]
    with pytest.raises(OperationError, match="failed: no more"):
        run_once(command, tmp_path)
    with (
        pytest.raises(OperationError, match="failed: no more"),
        serving(command, tmp_path / "file", tmp_path),
    ):
        pass


def test_memory_of_a_tree_counts_its_descendants() -> None:
    hold = "import sys; held = b'x' * 60_000_000; print(flush=True); sys.stdin.read()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    command = [sys.executable, "-c", outer]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = look(process.pid)
        assert len(tree(process.pid)) == 2
        assert seen.root_mb > 1
        assert seen.tree_mb - seen.root_mb > 57
    assert look(process.pid).tree_mb == 0
    assert os.getpid() in tree(os.getppid())


def test_grids_are_as_long_as_their_names_say() -> None:
    assert (count(SWEEP_GRID), count(LONG_GRID)) == (1_000, 100_000)


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_sweep_is_watched_from_its_first_trials_to_its_last(candles: Path, tmp_path: Path) -> None:
    start = time.perf_counter()
    seen = sweep(candles, {"cross.fast": range(2, 42), "cross.slow": range(60, 110)}, 1, tmp_path)
    wall_seconds = time.perf_counter() - start
    assert 0 < seen.seconds < seen.facts["wall_seconds"] <= wall_seconds
    assert 0 < seen.facts["trials_per_second"] * seen.seconds < 2_000
    assert seen.facts["peak_mb"] > 200
    assert json.loads((tmp_path / "sweep.json").read_text())["trials"]["made"] == 2_000


def test_command_line_refuses_what_it_does_not_know() -> None:
    for option, said in (
        (["--only", "speed"], "'speed' is not one of loop, "),
        (["--candles", "10"], "'10' is not a whole number from 2,000 on"),
        (["--peers", "nowhere/python"], "nowhere/python is missing; `make bench` makes it"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *option],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert said in done.stderr
