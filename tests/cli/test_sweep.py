"""`autotrader sweep` from outside: what it refuses, what it prints, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from cli.main import run
from tests.data import ROOT
from tests.support.engine import Commands
from trading.simulated_market import SimulatedMarket, simulated_candles

HOUR_MS = 3_600_000
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
SWEEP = ("sweep", "--data", "BTC/USDT=btc.parquet")
GRID = ("--set", "cross.fast=2:8:2", "--set", "cross.slow=6:14:4", "--set", "risk.position_size_percent=20")


@pytest.fixture(autouse=True)
def _in_a_folder_with_candles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AUTOTRADER__")]:
        monkeypatch.delenv(name)
    market = SimulatedMarket("BTC/USDT", seed=7, timeframe_ms=HOUR_MS)
    simulated_candles(market, 1_600_000_000_000 // HOUR_MS * HOUR_MS, 800).select(COLUMNS).write_parquet(
        "btc.parquet"
    )


def started(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def done(*arguments: str) -> tuple[str, str]:
    process = started(*arguments)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return out, err


@pytest.fixture
def autotrader(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sweep",), "Missing option '--data'"),
        (("sweep", "--data", "btc.parquet"), "--data: 'btc.parquet' is not SYMBOL=FILE"),
        ((*SWEEP,), "--set: nothing to sweep"),
        ((*SWEEP, "--set", "risk.stop_loss_percent=3"), "--set: nothing to sweep"),
        ((*SWEEP, "--set", "cross.fast"), "--set: 'cross.fast' is not KEY=VALUE"),
        ((*SWEEP, "--set", "cross.fats=1:5:1"), "sma_cross has no parameter 'fats'; did you mean 'fast'?"),
        ((*SWEEP, "--set", "cros.fast=1:5:1"), "did you mean 'cross'?"),
        ((*SWEEP, "--set", "cross.fast=5:1:1"), "--set cross.fast=5:1:1: the range is reversed"),
        ((*SWEEP, *GRID, "--objective", "shape"), "there is no figure 'shape'; did you mean 'sharpe'?"),
        ((*SWEEP, *GRID, "--method", "all"), "--method: there is no method 'all'"),
        ((*SWEEP, *GRID, "--walk-forward", "-1"), "--walk-forward"),
        ((*SWEEP, *GRID, "--walk-forward", "900"), "--walk-forward: 900 windows need 1802 candles"),
        ((*SWEEP, *GRID, "--workers", "0"), "--workers"),
        ((*SWEEP, *GRID, "--resume"), "--resume: needs --out"),
        ((*SWEEP, *GRID, "--resume", "--out", "new"), "--resume: new holds no sweep"),
        ((*SWEEP, *GRID, "--anchored"), "--anchored: is for --walk-forward"),
        ((*SWEEP, *GRID, "--out", "btc.parquet"), "--out: btc.parquet is a file, not a folder"),
        ((*SWEEP, *GRID, "--from", "soon"), "--from: 'soon' is not a date"),
        ((*SWEEP, *GRID, "--to", "2020-01-01"), "no candle opens in this range"),
        (
            (*SWEEP, "--set", "cross.fast=1:10000:1", "--set", "cross.slow=2:10000:1",
             "--set", "risk.stop_loss_percent=1:11:0.001"),
            "--set: these are 999,999,990,000 trials, and at most 1,000,000 are allowed; --max-trials raises",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_before_ray_starts(
    arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and shown.out == ""
    assert [each.name for each in Path().iterdir()] == ["btc.parquet"]


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_sweep_prints_and_writes_the_best_and_its_settings_run_in_a_backtest(autotrader: Commands) -> None:
    arguments = (*SWEEP, *GRID, "--walk-forward", "1", "--out", "out", "--json")
    shown, err = done(*arguments)
    document = json.loads(shown)
    assert err == ""
    assert document == json.loads(Path("out/summary.json").read_text())
    assert document["trials"] == {"made": 12, "failed": 2, "of_combinations": 12}
    trials = pl.read_parquet("out/trials.parquet")
    best = trials.filter(pl.col("trial") == document["best"]["trial"]).row(0, named=True)
    assert best["sharpe"] == trials["sharpe"].max() == document["best"]["figures"]["sharpe"]

    figures = autotrader.json("backtest", "--data", "BTC/USDT=btc.parquet", "--config", "out/best.toml")
    for name, value in document["best"]["figures"].items():
        assert figures[name] == value, name

    assert autotrader(*arguments, "--resume").json == document
    printed = autotrader(*arguments[:-1], "--resume").out
    assert document["luck"]["sentence"] in printed
    assert f"{document['best']['figures']['sharpe']:,.2f}" in printed
    assert "2 failed, such as trial" in printed
    assert "This sweep was finished before" in printed


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_interrupted_sweep_keeps_what_is_done_and_goes_on_to_the_same_bytes() -> None:
    Path("slow.py").write_text(
        "import time, polars as pl\n"
        "from pathlib import Path\n"
        "from trading.strategies import Integer, VectorStrategy\n"
        "class Slow(VectorStrategy):\n"
        "    level = Integer(0, low=0, high=100)\n"
        "    def signals(self, candles):\n"
        f"        time.sleep(0 if Path({str(Path('quick').absolute())!r}).exists() else 0.2)\n"
        "        up = (pl.col('close_ticks') + self.level) % 7 == 0\n"
        "        side = pl.when(up).then(pl.lit('BUY')).otherwise(pl.lit('SELL'))\n"
        "        return candles.select(side.alias('side'), pl.lit(100.0).alias('confidence'))\n"
    )
    Path("autotrader.toml").write_text('[[strategies]]\nname = "slow"\ntype = "slow"\npath = "slow.py"\n')
    arguments = (*SWEEP, "--set", "slow.level=0:29:1")
    process = started(*arguments, "--out", "out")
    deadline = time.monotonic() + 120
    while not list(Path("out").glob("parts/0/*.parquet")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.startswith("cancelled after ") and err.count("\n") == 1
    assert "of 30 trials; the same command with --resume goes on (in out)" in err
    stored = pl.concat(map(pl.read_parquet, Path("out/parts/0").glob("*.parquet")))
    assert 0 < stored.height < 30
    assert f"cancelled after {stored.height} of" in err

    Path("quick").touch()
    done(*arguments, "--out", "out", "--resume", "--workers", "1")
    done(*arguments, "--out", "whole")
    for name in ("trials.parquet", "returns.parquet", "summary.json", "best.toml", "sweep.json"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes(), name
