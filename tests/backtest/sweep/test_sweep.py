"""Whole sweeps on Ray: the same bytes however they were made, and nothing lost."""

import os
import time
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from backtest import workers
from backtest.sweep import samplers, store
from backtest.sweep.objective import FIGURES
from backtest.sweep.plan import Applied, SweepPlan
from backtest.sweep.progress import Progress
from backtest.sweep.sweep import Sweep, SweepCancelled
from backtest.trial import run_trial
from cli.config_files import read_toml
from tests.backtest.sweep.conftest import CROSS, MakePlan
from trading.errors import InputError, OperationError, StrategyError
from trading.settings import parse_settings
from trading.settings_file import settings_file

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300), pytest.mark.usefixtures("cluster")]
Whole = Callable[[str], tuple[SweepPlan, Path]]
SPECS = ("cross.fast=2:8:2", "cross.slow=6:14:4", "risk.stop_loss_percent=0.5:1.5:0.5")


def results(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


@pytest.fixture(scope="module")
def whole(plan_of: MakePlan, tmp_path_factory: pytest.TempPathFactory, cluster: None) -> Whole:
    """The plan of a method, and the folder of its sweep by one worker without any break."""

    @cache
    def made(method: str) -> tuple[SweepPlan, Path]:
        plan = plan_of(*SPECS, method=method, trials=None if method == "grid" else 30, walk_forward=2)
        out = tmp_path_factory.mktemp("whole") / method
        Sweep(plan, out=out, workers=1, to_toml=settings_file).run()
        return plan, out

    return made


def test_every_trial_is_the_simulation_of_its_settings(plan_of: MakePlan, tmp_path: Path) -> None:
    plan = plan_of(*SPECS)
    result = Sweep(plan, out=tmp_path / "out", workers=2).run()
    assert result.trials["trial"].to_list() == list(range(plan.space.count))
    applied, failed = Applied(plan.settings, plan.space), 0
    for row in result.trials.iter_rows(named=True):
        values = plan.space.values(row["trial"])
        assert [row[each.key] for each in plan.space.dimensions] == [
            float(each) if isinstance(each, Decimal) else each for each in values
        ]
        if values[0] >= values[1]:  # type: ignore[operator]
            assert row["error"] == (
                f"strategies.cross: parameter 'fast': {values[0]} is not under slow, which is {values[1]}"
            )
            assert {row[name] for name in FIGURES} == {None}
            failed += 1
            continue
        figures = msgspec.structs.asdict(run_trial(plan.study, applied.at(row["trial"])).figures)
        assert {name: row[name] for name in FIGURES} == {
            name: float(each) if isinstance(each, Decimal) else each for name, each in figures.items()
        }
        assert row["error"] is None
    assert result.summary["trials"] == {"made": 36, "failed": failed, "of_combinations": 36}
    assert failed == 6
    best = result.trials.sort("sharpe", descending=True, nulls_last=True).row(0, named=True)
    assert result.summary["best"]["trial"] == best["trial"]
    assert result.summary["best"]["params"] == dict(
        zip((each.key for each in plan.space.dimensions), plan.space.values(best["trial"]), strict=True)
    )
    assert [kind["trials"] for kind in result.summary["errors"]] == [6]
    assert result.trials.equals(pl.read_parquet(tmp_path / "out" / "trials.parquet"))
    assert not (tmp_path / "out" / "parts").exists()


@pytest.mark.parametrize("method", samplers.METHODS)
def test_files_are_the_same_whatever_workers_batches_and_parts(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    plan, out = whole(method)
    monkeypatch.setattr(workers, "LARGEST_BATCH", 3)
    monkeypatch.setattr(store, "PART_ROWS", 1)
    Sweep(plan, out=tmp_path / "two", workers=2, to_toml=settings_file).run()
    one, two = results(out), results(tmp_path / "two")
    assert set(one) == {
        "sweep.json", "summary.json", "trials.parquet", "returns.parquet", "best.toml", "report.html",
        "walk_forward.parquet", "walk_forward_equity.parquet",
    }  # fmt: skip
    assert one == two


@pytest.mark.parametrize("method", ["grid", "bayes"])
def test_sweep_cancelled_again_and_again_and_resumed_equals_one_that_was_not(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    plan, unbroken = whole(method)
    monkeypatch.setattr(workers, "LARGEST_BATCH", 2)
    stops, out = 0, tmp_path / "stopped"
    made: list[int] = []

    def after_some(progress: Progress) -> None:
        if progress.per_second is not None:
            made.append(progress.done)
            if progress.done >= made[0] + 30:
                sweep.cancel()

    for _ in range(10):
        made.clear()
        sweep = Sweep(
            plan, out=out, resume=stops > 0, workers=1, on_progress=after_some, to_toml=settings_file
        )
        try:
            sweep.run()
        except SweepCancelled as stop:
            stops += 1
            assert sweep.state == "cancelled" and sweep.id == plan.id
            assert f"of {plan.all_trials} trials" in str(stop)
            with pytest.raises(InputError, match="holds an unfinished sweep; --resume goes on with it"):
                Sweep(plan, out=out).run()
            continue
        break
    assert sweep.state == "done"
    assert stops >= 2
    assert results(out) == results(unbroken)


def test_killed_worker_loses_nothing(
    plan_of: MakePlan, tmp_path: Path, strategy_file: Callable[[str], Any]
) -> None:
    strategies = strategy_file(
        "died = here / f'died-{self.level}'\n"
        "if self.level in (9, 10, 33) and not died.exists() and not (here / 'calm').exists():\n"
        "    died.touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    plan = plan_of("own.level=0:40:1", strategies=strategies)
    Sweep(plan, out=tmp_path / "killed", workers=2).run()
    assert {each.name for each in tmp_path.glob("died-*")} == {"died-9", "died-10", "died-33"}
    (tmp_path / "calm").touch()
    Sweep(plan, out=tmp_path / "calmly", workers=1).run()
    assert results(tmp_path / "killed") == results(tmp_path / "calmly")


def test_trials_that_fail_are_recorded_with_their_error_and_the_sweep_goes_on(
    plan_of: MakePlan, tmp_path: Path, strategy_file: Callable[[str], Any]
) -> None:
    strategies = strategy_file(
        "if self.level == 1: raise StrategyError('level 1 is forbidden')\n"
        "if self.level == 2: raise ZeroDivisionError('nobody divides by 2')\n"
        "if self.level == 3: os.kill(os.getpid(), signal.SIGKILL)"
    )
    result = Sweep(plan_of("own.level=0:4:1", strategies=strategies), out=tmp_path / "out", workers=1).run()
    errors = result.trials["error"].to_list()
    assert errors[0] is None and errors[4] is None
    assert "level 1 is forbidden" in errors[1]
    assert "nobody divides by 2" in errors[2]
    assert errors[3] == "its process died 3 times"
    assert result.summary["trials"]["failed"] == 3


def test_sweep_of_which_every_trial_fails_is_an_error_with_the_first_reason(
    plan_of: MakePlan, tmp_path: Path
) -> None:
    with pytest.raises(
        OperationError, match=r"all 3 trials failed; the first one said: .*'fast': 8 is not under"
    ):
        Sweep(plan_of("cross.fast=8:10:1"), out=tmp_path / "out", workers=1).run()
    assert not store.is_finished(tmp_path / "out")


def test_best_that_looks_ahead_is_refused_and_no_best_toml_written(
    plan_of: MakePlan, tmp_path: Path, strategy_file: Callable[[str], Any]
) -> None:
    strategies = strategy_file(
        "candles = candles.with_columns(pl.col('close_ticks').shift(-1, fill_value=0))"
    )
    with pytest.raises((StrategyError, OperationError), match="look"):
        Sweep(
            plan_of("own.level=1,2", strategies=strategies), out=tmp_path / "out", to_toml=settings_file
        ).run()
    assert not (tmp_path / "out" / "best.toml").exists()


def test_best_toml_holds_the_settings_of_the_best_trial(plan_of: MakePlan, tmp_path: Path) -> None:
    plan = plan_of(*SPECS, objective="max_drawdown_percent")
    result = Sweep(plan, out=tmp_path / "out", workers=1, to_toml=settings_file).run()
    settings = parse_settings(read_toml(tmp_path / "out" / "best.toml"))
    best = result.summary["best"]
    assert settings.strategies[0].params["fast"] == best["params"]["cross.fast"]
    assert settings.risk.stop_loss_percent == best["params"]["risk.stop_loss_percent"]
    assert (
        run_trial(plan.study, settings).figures.max_drawdown_percent
        == best["figures"]["max_drawdown_percent"]
    )
    traded = result.trials.filter(pl.col("trades") > 0)
    assert best["figures"]["max_drawdown_percent"] == traded["max_drawdown_percent"].min()


def test_finished_sweep_is_not_made_again(plan_of: MakePlan, tmp_path: Path) -> None:
    plan = plan_of("cross.fast=2,3")
    first = Sweep(plan, out=tmp_path, workers=1).run()
    before = {each.name: each.stat().st_mtime_ns for each in tmp_path.iterdir()}
    again = Sweep(plan, out=tmp_path, resume=True).run()
    assert again.was_finished and again.trials.equals(first.trials)
    assert again.summary == msgspec.json.decode((tmp_path / "summary.json").read_bytes())
    assert {each.name: each.stat().st_mtime_ns for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("specs", "options", "said"),
    [
        (("cross.fast=2:5:1",), {}, "set.cross.fast was 2:4:1, now it is 2:5:1"),
        (("cross.fast=2:4:1", "cross.slow=9,8"), {}, "set.cross.slow was None, now it is 9,8"),
        (("cross.fast=2:4:1",), {"seed": 2}, "seed was 1, now it is 2"),
        (("cross.fast=2:4:1",), {"method": "random", "trials": 3}, "method was grid, now it is random"),
    ],
)
def test_resume_of_another_plan_is_refused_and_says_what_differs(
    plan_of: MakePlan, tmp_path: Path, specs: tuple[str, ...], options: dict[str, Any], said: str
) -> None:
    with store.opened(tmp_path, plan_of("cross.fast=2:4:1"), resume=False):
        pass
    with pytest.raises(InputError) as refused:
        Sweep(plan_of(*specs, **options), out=tmp_path, resume=True).run()
    assert str(refused.value) == f"--resume: {tmp_path} holds a sweep with other inputs: {said}"


def test_resume_where_nothing_is_and_two_at_once_are_refused(plan_of: MakePlan, tmp_path: Path) -> None:
    plan = plan_of("cross.fast=2:4:1")
    with pytest.raises(InputError, match="holds no sweep"):
        Sweep(plan, out=tmp_path / "nothing", resume=True).run()
    assert not (tmp_path / "nothing").exists()
    with (
        store.opened(tmp_path, plan, resume=False),
        pytest.raises(InputError, match="--out: another process is making the sweep"),
    ):
        Sweep(plan, out=tmp_path, resume=True).run()


def test_part_that_is_broken_is_made_again(whole: Whole, tmp_path: Path) -> None:
    plan, unbroken = whole("grid")
    out = tmp_path / "broken"
    with store.opened(out, plan, resume=False):
        (out / "parts" / "0").mkdir(parents=True)
        (out / "parts" / "0" / "000001.parquet").write_bytes(b"PAR1 and then the power failed")
    Sweep(plan, out=out, workers=1, resume=True, to_toml=settings_file).run()
    assert results(out) == results(unbroken)


def test_progress_tells_rate_time_left_and_the_best(
    plan_of: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "LARGEST_BATCH", 4)
    seen: list[Progress] = []
    plan = plan_of(*SPECS, walk_forward=1)
    started = time.monotonic()
    result = Sweep(plan, workers=1, on_progress=seen.append).run()
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert seen[0].done == 0 and seen[0].per_second is None and seen[0].seconds_left is None
    last = seen[-1]
    assert (last.done, last.total, last.passing, last.failed) == (72, 72, 1, 12)
    assert last.seconds_left == 0 and last.per_second is not None
    assert last.per_second >= 72 / (time.monotonic() - started)
    whole = [each for each in seen if each.passing == 0]
    assert whole[-1].best == result.summary["best"]["figures"]["sharpe"]


def test_without_trades_there_is_no_best_and_no_error(plan_of: MakePlan, tmp_path: Path) -> None:
    silent = {"name": "cross", "type": "sma_cross", "params": {"slow": 8}, "weight": 0}
    plan = plan_of("cross.fast=2,3", strategies=[silent], walk_forward=2)
    result = Sweep(plan, out=tmp_path / "out", workers=1, to_toml=settings_file).run()
    assert result.summary["best"] is None and result.summary["top"] == []
    assert result.summary["trials"]["failed"] == 0
    assert result.summary["walk_forward"]["idle_windows"] == [1, 2]
    assert not (tmp_path / "out" / "best.toml").exists()


def test_permuted_sweeps_join_the_verdict(plan_of: MakePlan) -> None:
    specs = ("cross.fast=2:6:1", "cross.slow=8:12:2")
    alone = Sweep(plan_of(*specs), workers=2).run()
    joined = Sweep(plan_of(*specs, permutations=9), workers=2).run()
    again = Sweep(plan_of(*specs, permutations=9), workers=1).run()
    assert alone.summary["luck"]["permutation"] is None
    found = joined.summary["luck"]["permutation"]
    assert found["sweeps"] == 9
    assert found["probability"] * 10 == pytest.approx(round(found["probability"] * 10))
    assert found["observed"] == alone.summary["best"]["figures"]["sharpe"]
    assert again.summary["luck"] == joined.summary["luck"]


def test_signals_that_trials_share_are_made_once(
    plan_of: MakePlan, strategy_file: Callable[[str], list[dict[str, Any]]], tmp_path: Path
) -> None:
    strategies = strategy_file("(here / f'made-{os.getpid()}-{time.time_ns()}').touch()")
    plan = plan_of(
        "own.level=0:2:1", "risk.stop_loss_percent=1:20:1", strategies=[*strategies, *CROSS], permutations=0
    )
    for mark in tmp_path.glob("made-*"):
        mark.unlink()
    result = Sweep(plan, workers=2).run()
    made = [mark.name.split("-")[1] for mark in tmp_path.glob("made-*")]
    workers = [pid for pid in made if pid != str(os.getpid())]
    assert result.trials.height == 60
    assert len(workers) == 3
