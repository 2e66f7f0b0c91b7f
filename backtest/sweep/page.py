"""A sweep as its report, report.html, wants it."""

import numpy as np
import polars as pl

from backtest.luck.verdict import Luck
from backtest.report.sweep_data import SweepReport, WalkForwardReport, WalkForwardWindow
from backtest.results import RunResult
from backtest.sweep.plan import SweepPlan
from backtest.sweep.walk_forward import Step, WalkForward
from backtest.sweep.windows import span_of
from trading.timeframe import iso, timeframe_name


def report_of(
    plan: SweepPlan,
    trials: pl.DataFrame,
    best: int | None,
    run: RunResult | None,
    walk: WalkForward | None,
    luck: Luck | None,
) -> SweepReport:
    """What the report is made from; `run` is the best trial's."""
    symbols = ", ".join(plan.settings.engine.symbols)
    return SweepReport(
        title=f"Sweep of {symbols}",
        facts=_facts(plan),
        objective=plan.objective.name,
        trials=trials,
        made=trials.height,
        failed=trials.height - trials["error"].null_count(),
        best=best,
        minimised=plan.objective.minimised,
        run=run,
        histories=plan.study.histories,
        walk_forward=_walk_forward(plan, walk) if walk else None,
        luck=luck,
    )


def _facts(plan: SweepPlan) -> dict[str, str]:
    span = span_of(plan.study)
    return {
        "symbols": ", ".join(plan.settings.engine.symbols),
        "timeframe": timeframe_name(plan.study.histories[0].timeframe_ms),
        "from": iso(span.from_ms),
        "to": iso(span.to_ms),
        "method": plan.method,
        "seed": str(plan.seed),
        **{each.key: each.text for each in plan.space.dimensions},
        "combinations": f"{plan.space.count:,}",
    }


def _walk_forward(plan: SweepPlan, walk: WalkForward) -> WalkForwardReport:
    records = [step.run.records for step in walk.steps]
    equity = [
        np.asarray(each.equity) / 10**step.run.rules.quote_decimals
        for each, step in zip(records, walk.steps, strict=True)
    ]
    times_ms = [np.asarray(each.open_times_ms) + plan.study.histories[0].timeframe_ms for each in records]
    return WalkForwardReport(
        windows=[_window(plan, step) for step in walk.steps],
        times_ms=np.concatenate(times_ms).tolist() if times_ms else [],
        equity=np.concatenate(equity).tolist() if equity else [],
        anchored=plan.anchored,
        efficiency_percent=walk.efficiency_percent,
        quote=walk.steps[0].run.rules.quote if walk.steps else "",
    )


def _window(plan: SweepPlan, step: Step) -> WalkForwardWindow:
    inside, outside, name = step.window.in_sample, step.window.out_of_sample, plan.objective.name
    keys = (each.key for each in plan.space.dimensions)
    figure = getattr(step.run.figures, name)
    return WalkForwardWindow(
        in_sample_ms=(inside.from_ms, inside.to_ms),
        out_of_sample_ms=(outside.from_ms, outside.to_ms),
        params=dict(zip(keys, step.chosen.values, strict=True)),
        in_sample=step.chosen.figures[name],
        out_of_sample=None if figure is None else float(figure),
        out_of_sample_return_percent=step.run.figures.total_return_percent,
    )
