"""Every parameter and the objective of a sweep as parallel axes, a line a trial."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from backtest.report.labels import DASH, figure_label, short
from backtest.report.markup import chart_text, html, note
from backtest.report.page import Page
from backtest.report.sampling import Floats, Rows, packed
from backtest.report.sweep_data import SweepReport
from backtest.report.theme import Figure, axis, figure

MOST_LINES = 600
_BEST_LINES = 150
_MOST_TICKS = 8
# With more values than this a number's ticks lie evenly between the least and the most.
_MOST_VALUES = 40
# The trials in groups by rank: up to which part of them, its name, its colour, its lines' opacity.
_GROUPS = (
    (0.05, "best 5 %", "@scale-8", 0.9),
    (0.25, "to 25 %", "@scale-6", 0.6),
    (0.5, "to 50 %", "@scale-5", 0.5),
    (1.0, "the rest", "@scale-3", 0.5),
)


@dataclass(frozen=True)
class _Axis:
    """One upright axis: where each trial crosses it (0 to 1), each value in words, and its ticks."""

    name: str
    heights: Floats
    texts: list[str]
    ticks: list[tuple[float, str]]


def parallel_section(page: Page, report: SweepReport) -> None:
    """The lines in groups by rank; a click on a group hides it."""
    rows = drawn_rows(report.scored.height)
    drawn = report.scored[rows.tolist()]
    keys = [key for key in report.keys if drawn[key].n_unique() > 1]
    if len(keys) < 2:
        return
    objective = _axis(figure_label(report.objective), drawn["score"])
    axes = [*(_axis(key, drawn[key]) for key in keys), objective]
    words = "Each line is a trial. A click on a group in the legend hides or shows it."
    if len(rows) < report.scored.height:
        words = f"{len(rows):,} of {report.scored.height:,} trials are drawn, the best among them. {words}"
    chart = page.chart("parallel", _figure(axes, rows / report.scored.height, drawn["trial"]), "wide")
    box = html("<div class='scroll'>{chart}</div>", chart=chart)
    page.section("parallel", "Parallel coordinates", box, note(words))


def drawn_rows(count: int) -> Rows:
    """Which of the ranked trials are drawn: the best ones, and the others evenly."""
    if count <= MOST_LINES:
        return np.arange(count)
    others = np.linspace(_BEST_LINES, count - 1, MOST_LINES - _BEST_LINES).astype(np.int64)
    return np.concatenate([np.arange(_BEST_LINES), others])


def _axis(name: str, values: pl.Series) -> _Axis:
    """Numbers by their size; everything else, and nothing, evenly in order."""
    distinct = values.unique().sort()
    texts = [DASH if each is None else chart_text(short(each)) for each in values.to_list()]
    if values.dtype.is_numeric() and not values.null_count():
        floats = values.cast(pl.Float64).to_numpy()
        low, high = float(floats.min()), float(floats.max())
        few = distinct.gather_every(-(-len(distinct) // _MOST_TICKS)).to_list()
        shown = few if len(distinct) <= _MOST_VALUES else np.linspace(low, high, 5).tolist()
        width = high - low or 1.0
        return _Axis(
            name, (floats - low) / width, texts, [((each - low) / width, f"{each:.4g}") for each in shown]
        )
    places = values.to_frame("v").join(
        pl.DataFrame({"v": distinct, "place": np.arange(len(distinct))}),
        on="v", how="left", nulls_equal=True, maintain_order="left",
    )["place"].to_numpy()  # fmt: skip
    last = max(1, len(distinct) - 1)
    step = -(-len(distinct) // _MOST_TICKS)
    ticks = {int(place): text for place, text in zip(places, texts, strict=True) if place % step == 0}
    return _Axis(name, places / last, texts, [(place / last, ticks[place]) for place in sorted(ticks)])


def _figure(axes: list[_Axis], ranks: Floats, trials: pl.Series) -> Figure:
    heights = np.stack([each.heights for each in axes], axis=1)
    texts = np.array([each.texts for each in axes], dtype=object).T
    traces, low = [], 0.0
    for high, name, color, opacity in _GROUPS:
        mine = np.flatnonzero((ranks >= low) & ((ranks < high) | (high == 1)))
        low = high
        if len(mine):
            traces.append(
                _lines(name, heights[mine], texts[mine], trials[mine.tolist()].to_list(), color, opacity)
            )
    names = [chart_text(each.name) for each in axes]
    uprights = [
        {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "line": {"color": "@axis", "width": 1}}
        for place in range(len(axes))
    ]
    ticks = [
        {
            "x": place, "y": height, "text": text, "showarrow": False, "xanchor": "left", "xshift": 3,
            "font": {"size": 11}, "bgcolor": "@veil",
        }
        for place, each in enumerate(axes)
        for height, text in each.ticks
    ]  # fmt: skip
    return figure(
        list(reversed(traces)),
        shapes=uprights,
        annotations=ticks,
        margin={"l": 40, "r": 8, "t": 12, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"},
        xaxis=axis(
            tickvals=list(range(len(axes))), ticktext=names, showgrid=False, zeroline=False,
            range=[-0.1, len(axes) - 0.7],
            ticklabeloverflow="allow",
        ),
        yaxis=axis(visible=False, range=[-0.04, 1.04]),
    )  # fmt: skip


def _lines(
    name: str, heights: Floats, texts: "np.ndarray[tuple[int, int], np.dtype[np.object_]]",
    trials: list[int], color: str, opacity: float,
) -> Figure:  # fmt: skip
    """One trace with a gap after each trial."""
    count, width = heights.shape
    gap = np.full((count, 1), np.nan)
    hover = [
        text
        for trial, row in zip(trials, texts.tolist(), strict=True)
        for text in (*(f"{each} (trial {trial})" for each in row), "")
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": packed(
            np.concatenate([np.tile(np.arange(width, dtype=np.float64), (count, 1)), gap], axis=1).ravel()
        ),
        "y": packed(np.concatenate([heights, gap], axis=1).ravel()),
        "line": {"color": color, "width": 1},
        "opacity": opacity,
        "hovertext": hover,
        "hoverinfo": "text",
    }
