"""Returns by month, as a coloured table, and by year."""

from dataclasses import dataclass

import numpy as np

from backtest.report.labels import number
from backtest.report.markup import Html, html, joined, note
from backtest.report.page import Page
from backtest.report.run_data import RunData
from backtest.report.sampling import packed
from backtest.report.theme import GAIN, LOSS, Figure, axis, figure

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# From these returns in percent on, a cell takes the next stronger colour.
_SHADES = (0.05, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class CalendarReturns:
    """Returns in percent by (year, month) and by year; the initial capital before the first."""

    months: dict[tuple[int, int], float]
    years: dict[int, float]


def calendar_returns(data: RunData) -> CalendarReturns:
    """The returns of a run's calendar months and years, UTC; the first and the last may be short ones."""
    times, equity = data.days
    months = times.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    by_month = _returns(months, equity, data.capital)
    by_year = _returns(months // 12, equity, data.capital)
    return CalendarReturns(
        {(1970 + month // 12, month % 12 + 1): each for month, each in by_month.items()},
        {1970 + year: each for year, each in by_year.items()},
    )


def _returns(periods: np.ndarray, equity: np.ndarray, capital: float) -> dict[int, float]:
    last = np.flatnonzero(np.diff(periods, append=periods[-1] + 1))
    before = np.concatenate([[capital], equity[last]])
    found = {}
    for period, base, after in zip(periods[last], before[:-1], before[1:], strict=True):
        found[int(period)] = float(100 * (after / base - 1)) if base else float("nan")
    return found


def calendar_section(page: Page, data: RunData) -> None:
    """The month table and the bars of the years."""
    returns = calendar_returns(data)
    page.section(
        "calendar",
        "Returns by month and year",
        _month_table(returns),
        page.chart("years", _year_figure(returns.years), "small"),
        note("In percent of the equity at the end of the month or year before; UTC."),
    )


def _month_table(returns: CalendarReturns) -> Html:
    head = joined(html("<th scope='col'>{month}</th>", month=month) for month in (*_MONTHS, "Year"))
    rows = []
    for year, total in returns.years.items():
        cells = [_cell(returns.months.get((year, month))) for month in range(1, 13)]
        rows.append(
            html(
                "<tr><th scope='row'>{year}</th>{cells}{total}</tr>",
                year=year,
                cells=joined(cells),
                total=_cell(total, " year"),
            )
        )
    return html(
        "<div class='scroll'><table class='months'><thead><tr><th></th>{head}</tr></thead>"
        "<tbody>{rows}</tbody></table></div>",
        head=head,
        rows=joined(rows),
    )


def _cell(percent: float | None, kind: str = "") -> Html:
    if percent is None:
        return Html("<td></td>")
    strength = sum(abs(percent) >= shade for shade in _SHADES)
    shade = f"{'up' if percent > 0 else 'down'}-{strength}" if strength else "flat"
    shown = number(percent, 1 if abs(percent) < 100 else 0, signed=True)
    return html("<td class='{shade}{kind}'>{shown}</td>", shade=shade, kind=kind, shown=shown)


def _year_figure(years: dict[int, float]) -> Figure:
    bars: Figure = {
        "type": "bar",
        "x": [str(year) for year in years],
        "y": packed(list(years.values())),
        "text": [f"{number(each, 1, signed=True)} %" for each in years.values()],
        "textposition": "auto",
        "textangle": 0,
        "insidetextfont": {"color": "@shade-text"},
        "marker": {"color": [GAIN if each >= 0 else LOSS for each in years.values()]},
        "hovertemplate": "%{x}: %{y:.2f} %<extra></extra>",
    }
    return figure(
        [bars],
        xaxis=axis(type="category", showgrid=False),
        yaxis=axis("return", ticksuffix=" %", rangemode="tozero"),
        bargap=0.4,
    )
