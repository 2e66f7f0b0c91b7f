"""The objective of a sweep over each pair of parameters."""

import itertools

import numpy as np
import polars as pl

from backtest.report.grouping import MOST_GROUPS, Grouped
from backtest.report.labels import figure_label
from backtest.report.markup import chart_text, html, joined, note
from backtest.report.objective import objective_title
from backtest.report.page import Page
from backtest.report.sampling import packed
from backtest.report.sweep_data import SweepReport
from backtest.report.theme import HIGHLIGHT, SCALE, STRATEGY, Figure, axis, figure

MOST_KEYS = 4


def heatmap_section(page: Page, report: SweepReport) -> None:
    """The objective over each pair of parameters: the median over all the others."""
    scored = report.scored
    grouped = [Grouped.of(scored, key) for key in report.keys]
    varied = [each for each in grouped if len(each.labels) > 1]
    shown = sorted(varied, key=lambda each: -each.explained(scored["score"]))[:MOST_KEYS]
    if not shown:
        return
    if len(shown) == 1:
        parts = [page.chart("heatmap-0", _profile(report, shown[0]))]
        words = f"The median {figure_label(report.objective)} for each value; the ring is the best trial."
    else:
        pairs = itertools.combinations([each for each in varied if each in shown], 2)
        parts = [
            html(
                "<div><h3>{first} and {second}</h3>{chart}</div>",
                first=first.key,
                second=second.key,
                chart=page.chart(f"heatmap-{place}", _heatmap(report, first, second)),
            )
            for place, (first, second) in enumerate(pairs)
        ]
        words = (
            f"Colour: the median {figure_label(report.objective)} over all values of the other parameters. "
            "The ring is the best trial: a good neighbourhood is worth more than a lonely peak."
        )
    if any(report.trials[each.key].n_unique() > MOST_GROUPS for each in shown):
        words += " Where a parameter has many values, each stands for the middle of a group of them."
    if len(varied) > len(shown):
        words += f" Shown are the {len(shown)} of {len(varied)} parameters that matter most."
    page.section(
        "heatmaps", "Parameters in pairs", html("<div class='grid'>{p}</div>", p=joined(parts)), note(words)
    )


def _heatmap(report: SweepReport, first: Grouped, second: Grouped) -> Figure:
    cells = (
        pl.DataFrame({"x": first.places, "y": second.places, "score": report.scored["score"]})
        .group_by("x", "y")
        .agg(pl.col("score").median(), pl.len())
    )
    grid = np.full((len(second.labels), len(first.labels)), np.nan)
    grid[cells["y"].to_numpy(), cells["x"].to_numpy()] = cells["score"].to_numpy()
    label = figure_label(report.objective)
    cell: Figure = {
        "type": "heatmap",
        "z": [[None if np.isnan(each) else float(f"{each:.6g}") for each in row] for row in grid],
        "text": [
            [chart_text(f"{first.key} {x}, {second.key} {y}") for x in first.labels] for y in second.labels
        ],
        "colorscale": SCALE,
        "reversescale": report.minimised,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "hovertemplate": f"%{{text}}<br>{label} %{{z:.4g}}<extra></extra>",
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickfont": {"size": 11}},
    }
    traces = [cell]
    if report.has_best:
        traces.append(_ring(int(first.places[0]), int(second.places[0])))
    return figure(traces, xaxis=first.axis(), yaxis=second.axis())


def _ring(x: float, y: float) -> Figure:
    """Marks the best trial."""
    return {
        "type": "scatter", "mode": "markers", "x": [x], "y": [y], "hoverinfo": "skip", "showlegend": False,
        "marker": {"symbol": "circle-open", "size": 16, "color": HIGHLIGHT, "line": {"width": 3}},
    }  # fmt: skip


def _profile(report: SweepReport, only: Grouped) -> Figure:
    """The median objective over the values of the one swept parameter."""
    frame = pl.DataFrame({"place": only.places, "score": report.scored["score"]})
    medians = frame.group_by("place").agg(pl.col("score").median()).sort("place")
    drawn: Figure = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": medians["place"].to_list(),
        "y": packed(medians["score"]),
        "hovertext": [chart_text(f"{only.key} {only.labels[place]}") for place in medians["place"]],
        "hovertemplate": "%{hovertext}: %{y:.4g}<extra></extra>",
        "line": {"color": STRATEGY, "width": 1.5},
        "showlegend": False,
    }
    ring = [_ring(int(only.places[0]), float(report.scored["score"][0]))] if report.has_best else []
    return figure([drawn, *ring], xaxis=only.axis(), yaxis=axis(objective_title(report)))
