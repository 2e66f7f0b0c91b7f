"""Equity against buy and hold, the fall from the peak, and the Sharpe ratio as it went."""

import json
import math

import numpy as np

from backtest.report.markup import html, joined, note
from backtest.report.page import Page
from backtest.report.run_data import RunData
from backtest.report.sampling import Floats, kept_rows, packed
from backtest.report.theme import (
    LOSS,
    LOSS_AREA,
    MARKET,
    STRATEGY,
    Figure,
    axis,
    figure,
    line,
    time_axis,
)
from trading.statistics import DAYS_A_YEAR

ROLLING_DAYS = 90
_BUCKETS = 400
# With a wider spread between lowest and highest a linear axis shows one of the curves only.
_LOGARITHMIC_FROM = 4


def equity_section(page: Page, data: RunData) -> None:
    """Equity and buy and hold on a linear or a logarithmic axis, and the drawdown under them."""
    logarithmic = _spread(data) > _LOGARITHMIC_FROM
    page.section(
        "equity",
        "Equity against buy and hold",
        html(
            "<p class='tools'><button type='button' data-relayout='equity' "
            "data-on='{on}' data-off='{off}' aria-pressed='{pressed}'>Logarithmic</button></p>",
            on=json.dumps({"yaxis.type": "log", "yaxis.dtick": _log_step(logarithmic)}),
            off=json.dumps({"yaxis.type": "linear", "yaxis.dtick": None}),
            pressed="true" if logarithmic else "false",
        ),
        page.chart("equity", equity_figure(data, logarithmic), "tall"),
        note("Marked at the close of each candle. Under it: how far the equity is below its highest so far."),
    )


def _log_step(wide: bool) -> str | None:
    """Ticks at 1, 2 and 5 times the powers of ten when there is room for several."""
    return "D2" if wide else None


def _spread(data: RunData) -> float:
    """How many times the lowest drawn value the highest is."""
    curves = [each for each in (data.equity, data.buy_and_hold) if each is not None]
    lowest = min(float(each.min()) for each in curves)
    return max(float(each.max()) for each in curves) / lowest if lowest > 0 else 0.0


def equity_figure(data: RunData, logarithmic: bool = False) -> Figure:
    """Two panels over one time axis: equity in quote, drawdown in percent."""
    series = [data.equity, data.drawdown_percent]
    held = data.buy_and_hold
    rows = kept_rows(_BUCKETS, *series, *([held] if held is not None else []))
    times = packed(data.close_times_ms[rows])
    hover = f"%{{y:,.2f}} {data.quote}"
    traces = [line("Strategy", times, packed(data.equity[rows]), STRATEGY, width=2, hovertemplate=hover)]
    if held is not None:
        traces.insert(0, line("Buy and hold", times, packed(held[rows]), MARKET, hovertemplate=hover))
    fallen = line(
        "Drawdown",
        times,
        packed(data.drawdown_percent[rows]),
        LOSS,
        width=1,
        yaxis="y2",
        fill="tozeroy",
        fillcolor=LOSS_AREA,
        hovertemplate="%{y:.2f} %",
        showlegend=False,
    )
    return figure(
        [*traces, fallen],
        hovermode="x unified",
        xaxis=time_axis(anchor="y2"),
        yaxis=axis(
            data.quote,
            domain=[0.36, 1],
            type="log" if logarithmic else "linear",
            dtick=_log_step(logarithmic),
            tickformat="~s" if data.capital >= 1e6 else ",~f",
        ),
        yaxis2=axis("drawdown", domain=[0, 0.28], ticksuffix=" %", rangemode="tozero"),
    )


def rolling_sharpe_section(page: Page, data: RunData) -> None:
    """The Sharpe ratio of the last 90 days, day by day."""
    values = rolling_sharpe(data.daily_returns, ROLLING_DAYS)
    text = f"Of the daily returns of the {ROLLING_DAYS} days before, a year, without a risk-free rate."
    if not np.isfinite(values).any():
        part = note(f"Needs more than {ROLLING_DAYS} days with changes of the equity.")
    else:
        part = joined([page.chart("rolling-sharpe", _rolling_figure(data, values)), note(text)])
    page.section("rolling", f"Rolling Sharpe ratio ({ROLLING_DAYS} days)", part)


def _rolling_figure(data: RunData, values: Floats) -> Figure:
    times = data.days[0]
    drawn = line("Sharpe", packed(times), packed(values), STRATEGY, hovertemplate="%{x|%Y-%m-%d}: %{y:.2f}")
    return figure(
        [drawn | {"showlegend": False, "name": ""}],
        xaxis=time_axis(),
        yaxis=axis("Sharpe ratio", zeroline=True),
    )


def rolling_sharpe(returns: Floats, days: int) -> Floats:
    """The Sharpe ratio of the last so many daily returns at each day; NaN before, and without deviation."""
    values = np.full(len(returns), math.nan)
    if len(returns) < days:
        return values
    windows = np.lib.stride_tricks.sliding_window_view(returns, days)
    spread = windows.std(axis=1, ddof=1)
    found = np.divide(windows.mean(axis=1), spread, out=np.full(len(spread), math.nan), where=spread > 0)
    values[days - 1 :] = found * math.sqrt(DAYS_A_YEAR)
    return values
