"""The report of a sweep: the verdict at the top, the best found again, and no trial that breaks it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from backtest.luck.verdict import Luck, Trials, luck_of
from backtest.report.grouping import MOST_GROUPS, Grouped
from backtest.report.parallel import MOST_LINES, drawn_rows
from backtest.report.sweep import TOP, write_sweep_report
from backtest.report.sweep_data import SweepReport, WalkForwardReport, WalkForwardWindow
from tests.backtest.report.reports import HOSTILE, Report, random_run, read_report
from tests.backtest.report.test_run_report import SECTIONS, accepted_by_plotly
from trading.statistics import Figures
from trading.timeframe import DAY_MS

COUNT = 60
_FIGURES: dict[str, Any] = dict.fromkeys(Figures.__struct_fields__, 1.0) | {"trades": 3, "candles": 9}


def trials_of(**columns: Any) -> pl.DataFrame:
    """Trials with a row for each Sharpe ratio; the other figures are all the same."""
    count = len(columns["sharpe"])
    columns = {"error": [None] * count} | columns
    figures = {name: columns.pop(name, [value] * count) for name, value in _FIGURES.items()}
    error = columns.pop("error")
    types = {"trial": pl.Int64, "error": pl.String}
    return pl.DataFrame(
        {"trial": range(count), **columns, **figures, "error": error}, schema_overrides=types, strict=False
    )


def sweep(**changes: Any) -> SweepReport:
    """A sweep of two parameters whose best trial is number 37."""
    sharpes = [1.0 + (number % 7) / 10 for number in range(COUNT)]
    sharpes[37] = 2.5
    trials = trials_of(
        sharpe=sharpes,
        **{
            "cross.fast": [n % 6 for n in range(COUNT)],
            "risk.stop_loss_percent": [n // 6 / 2 for n in range(COUNT)],
        },
    )
    made = SweepReport("Sweep", {"method": "grid"}, "sharpe", trials, made=COUNT, failed=0, best=37)
    return replace(made, **changes)


def luck() -> Luck:
    """The verdict on noise, with everything in it that can be computed."""
    random = np.random.default_rng(1)
    returns = random.normal(0, 0.01, (200, 20))
    sharpes = (returns.mean(axis=0) / returns.std(axis=0)).tolist()
    best = int(np.argmax(sharpes))
    return luck_of(Trials(sharpes, returns, best, trade_returns=returns[:40, best].tolist()), seed=1)


def walk() -> WalkForwardReport:
    windows = [
        WalkForwardWindow(
            (place * DAY_MS, (place + 1) * DAY_MS),
            ((place + 1) * DAY_MS, (place + 2) * DAY_MS),
            {"cross.fast": 5 + place},
            1.5,
            None if place == 2 else 0.25,
            -3.0,
        )
        for place in range(4)
    ]
    times = [DAY_MS + hour * DAY_MS // 24 for hour in range(96)]
    return WalkForwardReport(windows, times, [1_000.0 + hour for hour in range(96)], efficiency_percent=17.0)


def written(report: SweepReport, folder: Path) -> Report:
    write_sweep_report(report, folder / "report.html")
    return read_report(folder / "report.html")


def test_verdict_is_the_first_thing_in_the_report(tmp_path: Path) -> None:
    verdict = luck()
    report = written(sweep(luck=verdict), tmp_path)
    assert report.sections[0] == "verdict"
    assert report.section("verdict") == f"Skill or luck{verdict.sentence}{verdict.advice}"


def test_report_with_everything_has_all_its_sections(tmp_path: Path) -> None:
    run, histories = random_run(300, settings={"engine": {"timeframe": "1h"}})
    report = written(
        sweep(luck=luck(), walk_forward=walk(), run=run, histories=histories, failed=1), tmp_path
    )
    of_sweep = [
        "verdict",
        "facts",
        "top",
        "heatmaps",
        "parallel",
        "distribution-trials",
        "walk-forward",
        "luck",
    ]
    assert report.sections == [*of_sweep, "best", *SECTIONS[1:]]
    assert accepted_by_plotly(report) >= 20
    assert report.figures()["trades"] == str(run.figures.trades)


def test_report_of_the_same_sweep_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_sweep_report(sweep(luck=luck(), walk_forward=walk()), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_best_trial_is_named_first_and_ringed(tmp_path: Path) -> None:
    report = written(sweep(), tmp_path)
    assert "The best by Sharpe ratio (2.50) has cross.fast 1, risk.stop_loss_percent 3." in report.source
    assert report.section("top").count("2.50") == 1
    assert f"The {TOP} best of {COUNT} trials" in report.section("top")
    ring = report.charts["heatmap-0"]["data"][1]
    assert (ring["x"], ring["y"]) == ([1], [6])


def test_heatmap_holds_the_median_over_the_other_parameters(tmp_path: Path) -> None:
    sharpes = [1.0, 5.0, 2.0, 3.0, 9.0, 4.0, 7.0, 8.0]
    keys = {"a.x": [1, 1, 1, 1, 2, 2, 2, 2], "a.y": [1, 1, 2, 2, 1, 1, 2, 2], "a.z": [1, 2] * 4}
    trials = trials_of(sharpe=sharpes, **keys)
    report = written(SweepReport("s", {}, "sharpe", trials, 8, 0, best=4), tmp_path)
    heat = report.charts["heatmap-0"]["data"][0]
    assert heat["z"] == [[3.0, 6.5], [2.5, 7.5]]
    assert heat["text"] == [["a.x 1, a.y 1", "a.x 2, a.y 1"], ["a.x 1, a.y 2", "a.x 2, a.y 2"]]


def test_values_that_are_few_are_groups_by_themselves() -> None:
    grouped = Grouped.of(pl.DataFrame({"x": [0.5, 2.0, 0.5, 10.0]}), "x")
    assert (list(grouped.labels), grouped.places.tolist()) == (["0.5", "2", "10"], [0, 1, 0, 2])


def test_many_values_are_grouped_evenly() -> None:
    values = np.random.default_rng(1).random(10_000)
    trials = pl.DataFrame({"x": values})
    grouped = Grouped.of(trials, "x")
    assert len(grouped.labels) == MOST_GROUPS
    counts = np.bincount(grouped.places)
    assert counts.min() >= 400
    assert sorted(values[grouped.places == 0])[-1] < sorted(values[grouped.places == 1])[0]


def test_parameter_that_decides_explains_more_than_one_that_does_not() -> None:
    random = np.random.default_rng(1)
    deciding, idle = random.integers(0, 9, 500), random.integers(0, 9, 500)
    trials = pl.DataFrame({"deciding": deciding, "idle": idle})
    scores = pl.Series(deciding * 1.0 + random.random(500) / 10)
    assert Grouped.of(trials, "deciding").explained(scores) > 0.9
    assert Grouped.of(trials, "idle").explained(scores) < 0.1


@pytest.mark.parametrize("count", [0, 1, MOST_LINES, MOST_LINES + 1, 100_000])
def test_drawn_trials_are_few_with_the_best_and_the_worst(count: int) -> None:
    rows = drawn_rows(count)
    assert len(rows) == min(count, MOST_LINES)
    assert len(set(rows.tolist())) == len(rows)
    assert not count or {0, count - 1} <= set(rows.tolist())


def test_minimised_objective_ranks_the_least_first_and_leaves_out_who_did_not_trade() -> None:
    trials = trials_of(sharpe=[1.0] * 4, max_drawdown_percent=[5.0, 3.0, 0.0, None], trades=[1, 1, 0, 1])
    made = SweepReport("s", {}, "max_drawdown_percent", trials, 4, 0, best=1, minimised=True)
    assert made.scored["trial"].to_list() == [1, 0]


def test_objective_that_is_missing_or_not_finite_is_not_ranked(tmp_path: Path) -> None:
    trials = trials_of(sharpe=[None, float("inf"), float("nan")], **{"cross.fast": [1, 2, 3]})
    report = written(SweepReport("s", {}, "sharpe", trials, 3, 0), tmp_path)
    assert "No trial could be ranked" in report.section("top")
    assert report.sections == ["facts", "top", "distribution-trials"]


def test_trials_that_all_failed_are_counted_by_their_error(tmp_path: Path) -> None:
    errors = ["fast 5 is over slow 4", HOSTILE, "fast 6 is over slow 4"]
    trials = trials_of(sharpe=[None] * 3, error=errors, **{"cross.fast": [5, 6, 7]})
    report = written(SweepReport("s", {}, "sharpe", trials, 3, 3), tmp_path)
    cells = [each.text for each in report.all("td")]
    assert cells[-6:] == ["2", "0", errors[0], "1", "1", HOSTILE]
    assert "3 trials made, 3 failed" in report.source


def test_one_swept_parameter_is_drawn_as_a_curve(tmp_path: Path) -> None:
    trials = trials_of(sharpe=[1.0, 3.0, 2.0], **{"cross.fast": [5, 6, 7]})
    report = written(SweepReport("s", {}, "sharpe", trials, 3, 0, best=1), tmp_path)
    assert list(report.charts) == ["heatmap-0", "distribution-trials"]
    assert report.charts["heatmap-0"]["data"][1]["x"] == [1]
    assert accepted_by_plotly(report) == 2


def test_hostile_texts_are_shown_as_they_are(tmp_path: Path) -> None:
    trials = trials_of(sharpe=[1.0, 3.0, 2.0], **{HOSTILE: ["a", HOSTILE, "c"], "cross.fast": [5, 6, 7]})
    made = SweepReport(HOSTILE, {HOSTILE: HOSTILE}, "sharpe", trials, 3, 0, best=1)
    report = written(made, tmp_path)
    plain = written(sweep(), tmp_path)
    dangerous = {"script", "img", "iframe", "a"}
    assert [e.tag for e in report.elements if e.tag in dangerous] == ["script"] * 4
    assert [e.tag for e in plain.elements if e.tag in dangerous] == ["script"] * 4
    assert report.section("facts").count(HOSTILE) == 2
    assert HOSTILE in report.section("top")
    assert "<img" not in msgspec.json.encode(report.charts).decode()


def test_walk_forward_shows_each_window_and_the_stitched_equity(tmp_path: Path) -> None:
    report = written(sweep(walk_forward=walk()), tmp_path)
    text = report.section("walk-forward")
    assert "4 windows" in text
    assert "Efficiency 17 %" in text
    assert "cross.fast 8" in text
    assert {"walk-forward", "walk-forward-equity"} <= set(report.charts)


def test_walk_forward_without_a_ranked_window_says_so(tmp_path: Path) -> None:
    report = written(sweep(walk_forward=WalkForwardReport([], [], [])), tmp_path)
    assert report.section("walk-forward").endswith("No window has a ranked trial.")


def test_luck_that_cannot_be_computed_is_dashes(tmp_path: Path) -> None:
    nothing = luck_of(Trials([None], np.zeros((5, 1)), 0), seed=1)
    report = written(sweep(luck=nothing), tmp_path)
    assert "Best by luck".casefold() in report.section("luck").casefold()
    assert not [name for name in report.charts if name.startswith(("null", "fan", "logits", "pairs"))]


def test_luck_section_draws_what_there_is(tmp_path: Path) -> None:
    report = written(sweep(luck=luck()), tmp_path)
    assert {"null-reality", "logits", "pairs", "fan-days", "fan-trades"} <= set(report.charts)
    assert accepted_by_plotly(report) == len(report.charts)
