"""Walk-forward: settings chosen in a window trade in the candles after it, with the money made so far."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

import msgspec
import polars as pl

from backtest.results import RunResult, equity_frame
from backtest.sweep.full_run import full_run
from backtest.sweep.objective import FIGURES
from backtest.sweep.plan import Applied, SweepPlan
from backtest.sweep.space import Value
from backtest.sweep.trials import stored
from backtest.sweep.windows import Window
from trading.ledger import Position
from trading.settings import Settings
from trading.statistics import EquityCurve, Figures, curve_facts, figures, trade_facts
from trading.timeframe import iso

SMALLEST_CAPITAL = Decimal("0.00000001")


@dataclass(frozen=True)
class Chosen:
    """The best trial of a window: its number, its values, one per dimension, and its figures there."""

    trial: int
    values: tuple[Value, ...]
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One window, numbered from 1: what was chosen in it, and what that did out of it."""

    number: int
    window: Window
    chosen: Chosen
    run: RunResult


@dataclass(frozen=True)
class WalkForward:
    """The steps in order, and the figures of their out-of-sample runs as one curve.

    `efficiency_percent` is the annual return out of the windows over the mean of the annual returns
    in them (Pardo 2008, "The Evaluation and Optimization of Trading Strategies", 11); None where that
    mean is not positive or a part is shorter than a day. `idle` are windows in which no trial had the
    objective's figure: nothing was traded after them.
    """

    steps: tuple[Step, ...]
    idle: tuple[int, ...]
    figures: Figures | None
    efficiency_percent: float | None


def walked_forward(plan: SweepPlan, choose: Callable[[int, Window], Chosen | None]) -> WalkForward:
    """Walk through the windows of a plan; `choose` gives the best trial of a window (1, 2, ...).

    A run out of a window begins with the final equity of the one before, positions marked at their
    last close, rounded down to 8 decimals. Raises AutotraderError for settings that look ahead.
    """
    applied = Applied(plan.settings, plan.space)
    capital = plan.settings.engine.initial_capital_quote
    steps, idle = [], []
    for number, window in enumerate(plan.windows, start=1):
        chosen = choose(number, window)
        if chosen is None:
            idle.append(number)
            continue
        settings = with_capital(applied.with_values(chosen.values), capital)
        span = window.out_of_sample
        run = full_run(plan.study.part(span.from_ms, span.to_ms), settings)
        capital = final_equity(run).quantize(SMALLEST_CAPITAL, ROUND_DOWN)
        steps.append(Step(number, window, chosen, run))
    together = stitched(steps) if steps else None
    return WalkForward(tuple(steps), tuple(idle), together, _efficiency(steps, together))


def with_capital(settings: Settings, capital: Decimal) -> Settings:
    """The settings with other money to start with."""
    engine = settings.engine.model_copy(update={"initial_capital_quote": capital})
    return settings.model_copy(update={"engine": engine})


def final_equity(run: RunResult) -> Decimal:
    """The equity at the end of a run, in quote."""
    return run.money(int(run.records.equity[-1]))


def stitched(steps: Sequence[Step]) -> Figures:
    """The figures of the out-of-sample runs as one; positions still open at a window's end are not trades."""
    runs = [step.run for step in steps]
    rules, records = runs[0].rules, [run.records for run in runs]
    curve = EquityCurve(
        [time for each in records for time in each.open_times_ms],
        [equity for each in records for equity in each.equity],
        [held for each in records for held in each.held],
        rules.timeframe_ms,
        rules.initial_capital,
    )
    held: dict[str, tuple[int, int]] = {}
    for each in records:
        for symbol, (first, last) in each.held_prices.items():
            held[symbol] = (held.get(symbol, (first, last))[0], last)
    still_open: list[Position] = [each for one in records for each in one.open_positions.values()]
    trades = [trade for each in records for trade in each.trades]
    filled = sum(each.candles_filled for each in records)
    facts = trade_facts(trades, still_open)
    return figures(curve_facts(curve), facts, list(held.values()), filled, rules.quote_decimals)


def _efficiency(steps: Sequence[Step], together: Figures | None) -> float | None:
    inside = [step.chosen.figures["cagr_percent"] for step in steps]
    if together is None or together.cagr_percent is None or None in inside:
        return None
    mean = sum(inside) / len(inside)
    return 100 * together.cagr_percent / mean if mean > 0 else None


def equity_of(walk: WalkForward) -> pl.DataFrame:
    """The out-of-sample equity: timestamp (open time), equity, cash, and the window before it."""
    frames = [
        equity_frame(step.run).drop("drawdown_percent").with_columns(window=pl.lit(step.number, pl.Int64))
        for step in walk.steps
    ]
    return pl.concat(frames) if frames else pl.DataFrame()


def table_of(plan: SweepPlan, walk: WalkForward) -> pl.DataFrame:
    """One row a window: ranges, trial, values, and every figure in the sample and out of it."""
    return pl.DataFrame([_row(plan, step) for step in walk.steps], infer_schema_length=None)


def _row(plan: SweepPlan, step: Step) -> dict[str, Any]:
    outside = msgspec.structs.asdict(step.run.figures)
    values = dict(zip((each.key for each in plan.space.dimensions), step.chosen.values, strict=True))
    return {
        "window": step.number,
        **_ranges(step.window),
        "trial": step.chosen.trial,
        **{key: stored(value) for key, value in values.items()},
        **{f"in_sample_{name}": step.chosen.figures[name] for name in FIGURES},
        **{f"out_of_sample_{name}": stored(outside[name]) for name in FIGURES},
    }


def _ranges(window: Window) -> dict[str, str]:
    return {
        "in_sample_from": iso(window.in_sample.from_ms),
        "in_sample_to": iso(window.in_sample.to_ms),
        "out_of_sample_from": iso(window.out_of_sample.from_ms),
        "out_of_sample_to": iso(window.out_of_sample.to_ms),
    }


def summary_of(plan: SweepPlan, walk: WalkForward) -> dict[str, Any]:
    """The walk-forward as summary.json shows it."""
    return {
        "windows": list(_windows(plan, walk)),
        "idle_windows": list(walk.idle),
        "efficiency_percent": walk.efficiency_percent,
        "final_equity": final_equity(walk.steps[-1].run) if walk.steps else None,
        "out_of_sample": msgspec.structs.asdict(walk.figures) if walk.figures else None,
    }


def _windows(plan: SweepPlan, walk: WalkForward) -> Iterator[dict[str, Any]]:
    objective = plan.objective
    for step in walk.steps:
        outside = msgspec.structs.asdict(step.run.figures)
        yield {
            "window": step.number,
            **_ranges(step.window),
            "trial": step.chosen.trial,
            "params": dict(
                zip((each.key for each in plan.space.dimensions), step.chosen.values, strict=True)
            ),
            f"in_sample_{objective.name}": step.chosen.figures[objective.name],
            f"out_of_sample_{objective.name}": outside[objective.name],
            "in_sample_total_return_percent": step.chosen.figures["total_return_percent"],
            "out_of_sample_total_return_percent": outside["total_return_percent"],
            "final_equity": final_equity(step.run),
        }
