"""How the objective of a sweep is distributed over its trials."""

import numpy as np

from backtest.report.bars import bars
from backtest.report.labels import counted, figure_label, figure_unit, number
from backtest.report.markup import Html, note
from backtest.report.page import Page
from backtest.report.sampling import Floats
from backtest.report.sweep_data import SweepReport
from backtest.report.theme import axis, figure, marked_value

_BINS = 60


def objective_title(report: SweepReport) -> str:
    """The objective with its unit, for an axis."""
    unit = figure_unit(report.objective)
    label = figure_label(report.objective)
    return f"{label} ({unit})" if unit else label


def objective_section(page: Page, report: SweepReport) -> None:
    """How the objective is distributed over the trials, and where the best stands."""
    scores = report.scored["score"].to_numpy()
    if not len(scores):
        page.section(
            "distribution-trials", "Distribution over the trials", note("No trial has the objective.")
        )
        return
    low, high = np.quantile(scores, [0.005, 0.995])
    low, high = min(low, scores[0]), max(high, scores[0])
    counts, edges = np.histogram(np.clip(scores, low, high), _BINS if high > low else 1)
    drawn_bars = bars(edges, counts, "trials", figure_unit(report.objective))
    marked = marked_value(float(scores[0]), "the best") if report.has_best else {}
    drawn = figure(
        [drawn_bars],
        bargap=0.05,
        xaxis=axis(objective_title(report), showgrid=False),
        yaxis=axis("trials", tickformat=",d"),
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        **marked,
    )
    page.section(
        "distribution-trials",
        "Distribution over the trials",
        page.chart("distribution-trials", drawn),
        _spread_words(report, scores),
    )


def _spread_words(report: SweepReport, scores: Floats) -> Html:
    unit = figure_unit(report.objective)
    unit = f" {unit}" if unit else ""
    without = report.made - report.failed - len(scores)
    words = f"Median {number(float(np.median(scores)))}{unit}, best {number(float(scores[0]))}{unit}."
    words += " The ends hold what lies beyond them."
    if without:
        words += f" {counted(without, 'trial').capitalize()} could not be ranked: too few trades or days."
    return note(words)
