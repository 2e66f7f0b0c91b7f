"""Walk-forward: chosen in the window, traded after it, with the money made so far."""

import itertools
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.sweep.full_run import full_run
from backtest.sweep.plan import Applied
from backtest.sweep.sweep import Sweep
from backtest.sweep.walk_forward import Chosen, walked_forward
from backtest.sweep.windows import Span, span_of, windows_of
from backtest.trial import Study, run_trial
from tests.backtest.sweep.conftest import HOUR_MS, MakePlan
from trading.date_range import select_range
from trading.history import History


@given(count=st.integers(1, 30), anchored=st.booleans())
def test_windows_are_equal_parts_that_follow_one_another(
    histories: list[History], count: int, anchored: bool
) -> None:
    study = Study(histories, int(histories[0].open_times_ms[100]))
    windows, whole = windows_of(study, count, anchored), span_of(study)
    assert whole == Span(study.first_open_ms, int(histories[0].open_times_ms[-1]) + HOUR_MS)
    assert len(windows) == count
    for before, after in itertools.pairwise(windows):
        assert before.out_of_sample.to_ms == after.out_of_sample.from_ms
    for window in windows:
        assert window.in_sample.to_ms == window.out_of_sample.from_ms
        assert not anchored or window.in_sample.from_ms == whole.from_ms
    assert windows[0].in_sample.from_ms == whole.from_ms
    assert windows[-1].out_of_sample.to_ms == whole.to_ms
    lengths = [each.out_of_sample.to_ms - each.out_of_sample.from_ms for each in windows]
    if not anchored:
        lengths += [each.in_sample.to_ms - each.in_sample.from_ms for each in windows]
    assert max(lengths) - min(lengths) <= HOUR_MS
    assert all(length % HOUR_MS == 0 for length in lengths)


@pytest.mark.parametrize("anchored", [False, True])
def test_out_of_sample_equity_is_that_of_chained_runs(plan_of: MakePlan, anchored: bool) -> None:
    plan = plan_of("cross.fast=2:4:1", walk_forward=3, anchored=anchored)
    picks = [0, 2, 1]
    walk = walked_forward(
        plan,
        lambda number, _: Chosen(
            picks[number - 1], plan.space.values(picks[number - 1]), {"cagr_percent": 10.0}
        ),
    )
    applied, capital = Applied(plan.settings, plan.space), Decimal(10_000)
    times: list[int] = []
    for step, pick, window in zip(walk.steps, picks, plan.windows, strict=True):
        settings = applied.at(pick)
        engine = settings.engine.model_copy(update={"initial_capital_quote": capital})
        alone = full_run(
            study_in(plan.study.histories, window.out_of_sample),
            settings.model_copy(update={"engine": engine}),
        )
        assert list(step.run.records.equity) == list(alone.records.equity)
        assert alone.figures.trades > 0
        times += list(alone.records.open_times_ms)
        capital = alone.money(int(alone.records.equity[-1]))
    assert times == list(range(times[0], times[-1] + HOUR_MS, HOUR_MS))
    assert walk.figures is not None
    assert walk.figures.total_return_percent == pytest.approx(float(100 * (capital / 10_000 - 1)), abs=1e-9)
    assert walk.figures.trades == sum(step.run.figures.trades for step in walk.steps)
    assert walk.figures.fees_quote == sum(step.run.figures.fees_quote for step in walk.steps)
    assert walk.figures.candles == len(times)
    assert walk.efficiency_percent == pytest.approx(10 * (walk.figures.cagr_percent or 0))


def study_in(histories: Sequence[History], span: Span) -> Study:
    """The study of a part of the histories, made of them alone."""
    chosen = select_range(histories, span.from_ms, span.to_ms)
    return Study(chosen.histories, chosen.first_open_ms)


def test_window_without_a_best_trades_nothing(plan_of: MakePlan) -> None:
    plan = plan_of("cross.fast=2:4:1", walk_forward=3)
    chosen = Chosen(0, plan.space.values(0), {"cagr_percent": None})
    walk = walked_forward(plan, lambda number, _: None if number == 2 else chosen)
    assert walk.idle == (2,)
    assert [step.number for step in walk.steps] == [1, 3]
    first, third = (step.run for step in walk.steps)
    assert third.rules.initial_capital == first.records.equity[-1]
    assert walk.efficiency_percent is None
    nothing = walked_forward(plan, lambda *_: None)
    assert nothing.steps == () and nothing.figures is None


@pytest.mark.ray
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cluster")
def test_walk_forward_of_a_sweep_chooses_the_best_of_each_window(plan_of: MakePlan) -> None:
    plan = plan_of("cross.fast=2:6:1", "cross.slow=7,12", walk_forward=2)
    document = Sweep(plan, workers=1).run().summary["walk_forward"]
    applied = Applied(plan.settings, plan.space)
    for window, said in zip(plan.windows, document["windows"], strict=True):
        study = study_in(plan.study.histories, window.in_sample)
        sharpes = [
            run_trial(study, applied.at(place)).figures.sharpe or float("-inf")
            for place in range(plan.space.count)
        ]
        assert said["in_sample_sharpe"] == max(sharpes)
        assert said["trial"] == sharpes.index(max(sharpes))
        assert tuple(said["params"].values()) == plan.space.values(said["trial"])
