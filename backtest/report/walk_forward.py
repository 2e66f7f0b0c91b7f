"""In the sample against out of it: the windows of a walk-forward, and the equity of what followed them."""

import numpy as np

from backtest.report.labels import counted, date, figure_label, number, short
from backtest.report.markup import Column, Html, html, joined, note, table
from backtest.report.objective import objective_title
from backtest.report.page import Page
from backtest.report.sampling import kept_rows, packed
from backtest.report.sweep_data import SweepReport, WalkForwardReport
from backtest.report.theme import FAINT, MARKET, STRATEGY, Figure, axis, figure, line, time_axis

_BUCKETS = 400


def walk_forward_section(page: Page, report: SweepReport) -> None:
    """Bars of the objective in and out of the sample, the stitched equity, and what was chosen."""
    walk = report.walk_forward
    if walk is None:
        return
    parts = [_bars_part(page, report, walk)] if walk.windows else []
    if len(walk.equity):
        heading = html("<h3>Equity out of the sample</h3>")
        words = (
            "Each window's settings trade in the candles after it, with the money made so far; the thin "
            "lines are where the settings change."
        )
        parts.append(joined([heading, page.chart("walk-forward-equity", _equity_figure(walk)), note(words)]))
    parts.append(_windows_table(report, walk) if walk.windows else note("No window has a ranked trial."))
    page.section("walk-forward", "Walk-forward: in the sample against out of it", *parts)


def _bars_part(page: Page, report: SweepReport, walk: WalkForwardReport) -> Html:
    chosen_on = "all candles before it" if walk.anchored else "the part before it"
    words = f"{counted(len(walk.windows), 'window').capitalize()}, each chosen on {chosen_on}."
    if walk.efficiency_percent is not None:
        words += (
            f" Efficiency {number(walk.efficiency_percent, 0)} %: the annual return out of the sample over "
            "the mean of those in it."
        )
    return joined([page.chart("walk-forward", _window_figure(report, walk)), note(words)])


def _window_figure(report: SweepReport, walk: WalkForwardReport) -> Figure:
    names = [str(place) for place in range(1, len(walk.windows) + 1)]
    inside = [each.in_sample for each in walk.windows]
    outside = [each.out_of_sample for each in walk.windows]
    series = (("in the sample", inside, MARKET), ("out of the sample", outside, STRATEGY))
    traces: list[Figure] = [
        {
            "type": "bar",
            "name": name,
            "x": names,
            "y": packed([np.nan if each is None else each for each in values]),
            "marker": {"color": color},
            "hovertemplate": "window %{x}, " + name + ": %{y:.4g}<extra></extra>",
        }
        for name, values, color in series
    ]
    return figure(
        traces,
        barmode="group",
        bargap=0.35,
        xaxis=axis("window", type="category", showgrid=False),
        yaxis=axis(objective_title(report)),
    )


def _equity_figure(walk: WalkForwardReport) -> Figure:
    equity = np.asarray(walk.equity, dtype=np.float64)
    times = np.asarray(walk.times_ms, dtype=np.int64)
    rows = kept_rows(_BUCKETS, equity)
    hover = f"%{{y:,.2f}} {walk.quote}<extra></extra>"
    drawn = line(
        "Out of the sample", packed(times[rows]), packed(equity[rows]), STRATEGY, hovertemplate=hover
    )
    changes = [
        {
            "type": "line", "xref": "x", "yref": "paper", "line": {"color": FAINT, "width": 1},
            "x0": window.out_of_sample_ms[0], "x1": window.out_of_sample_ms[0], "y0": 0, "y1": 1,
        }
        for window in walk.windows
    ]  # fmt: skip
    return figure(
        [drawn | {"showlegend": False}],
        shapes=changes,
        hovermode="x unified",
        xaxis=time_axis(),
        yaxis=axis(walk.quote, tickformat=",~f"),
    )


def _windows_table(report: SweepReport, walk: WalkForwardReport) -> Html:
    label = figure_label(report.objective)
    columns = (
        Column("Window"), Column("in the sample"), Column("out of the sample"), Column(f"{label} in", True),
        Column(f"{label} out", True), Column("return out %", True), Column("chosen"),
    )  # fmt: skip
    rows = [
        (
            place,
            " to ".join(map(date, window.in_sample_ms)),
            " to ".join(map(date, window.out_of_sample_ms)),
            number(window.in_sample),
            number(window.out_of_sample),
            number(window.out_of_sample_return_percent, signed=True),
            ", ".join(f"{key} {short(value)}" for key, value in window.params.items()),
        )
        for place, window in enumerate(walk.windows, start=1)
    ]
    return table(columns, rows)
