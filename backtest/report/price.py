"""The trades of a run on its candles, symbol by symbol."""

from typing import Any

import polars as pl

from backtest.report.labels import moment, number
from backtest.report.markup import Html, chart_text, html, joined, note
from backtest.report.page import Page
from backtest.report.run_data import PriceSpan, RunData
from backtest.report.sampling import drawn_step_ms, packed, resampled
from backtest.report.theme import GAIN, HIGHLIGHT, INK, LOSS, STRATEGY, Figure, axis, figure, time_axis
from trading.timeframe import timeframe_name

MOST_CANDLES = 2_000
MOST_CANDLES_OF_ALL = 6_000
MOST_TRADES = 1_500
# How each kind of exit is drawn and called.
EXITS = {
    "signal": ("triangle-down", "exit by signal", INK),
    "stop": ("x", "stop", LOSS),
    "take_profit": ("star", "take profit", GAIN),
    "kill_switch": ("square", "kill switch", HIGHLIGHT),
    "close_all": ("diamond", "close all", HIGHLIGHT),
}
_RANGES = [(1, "day", "1 d"), (7, "day", "1 w"), (1, "month", "1 m"), (6, "month", "6 m"), (1, "year", "1 y")]


def price_section(page: Page, data: RunData) -> None:
    """One tab a symbol: candles, entries and exits."""
    spans = [span for span in data.spans if len(span.times_ms)]
    most = min(MOST_CANDLES, max(200, MOST_CANDLES_OF_ALL // max(1, len(spans))))
    panels = [_panel(page, data, span, f"price-{place}", most) for place, span in enumerate(spans)]
    if not panels:
        return
    names = [span.symbol for span in spans]
    page.section("price", "Trades on candles", _tabs(names), *_shown_first(panels))


def _tabs(names: list[str]) -> Html:
    if len(names) == 1:
        return html("<p class='tools'><b>{name}</b></p>", name=names[0])
    buttons = (
        html(
            "<button type='button' role='tab' aria-selected='{chosen}' data-panel='price-{place}'>"
            "{name}</button>",
            chosen="false" if place else "true",
            place=place,
            name=name,
        )
        for place, name in enumerate(names)
    )
    return html("<div class='tools' role='tablist'>{buttons}</div>", buttons=joined(buttons))


def _shown_first(panels: list[Html]) -> list[Html]:
    return [
        html(
            "<div role='tabpanel' id='price-{place}'{hidden}>{panel}</div>",
            place=place,
            hidden=Html(" hidden" if place else ""),
            panel=panel,
        )
        for place, panel in enumerate(panels)
    ]


def _panel(page: Page, data: RunData, span: PriceSpan, name: str, most: int) -> Html:
    trades = data.trades.filter(pl.col("symbol") == span.symbol)
    step_ms = drawn_step_ms(len(span.times_ms), data.result.rules.timeframe_ms, most)
    times, prices = resampled(span.times_ms, span.prices, step_ms)
    words = [f"Each drawn candle is {timeframe_name(step_ms)} long."]
    if trades.height > MOST_TRADES:
        words.append(f"The last {MOST_TRADES:,} of {trades.height:,} trades are marked.")
    words.append("Drag over a part to zoom in, double-click to zoom out.")
    drawn = _price_figure(data, span, candles(times, prices, span), trades.tail(MOST_TRADES))
    return joined([page.chart(name, drawn, "tall"), note(" ".join(words))])


def candles(times: Any, prices: dict[str, Any], span: PriceSpan) -> Figure:
    """A symbol's candles as a trace."""
    return {
        "type": "candlestick",
        "name": chart_text(span.symbol),
        "x": packed(times),
        **{name: packed(values) for name, values in prices.items()},
        "increasing": {"line": {"color": GAIN, "width": 1}, "fillcolor": GAIN},
        "decreasing": {"line": {"color": LOSS, "width": 1}, "fillcolor": LOSS},
        "showlegend": False,
    }


def _price_figure(data: RunData, span: PriceSpan, drawn: Figure, trades: pl.DataFrame) -> Figure:
    buttons: list[Figure] = [
        {"count": count, "step": step, "label": label, "stepmode": "backward"}
        for count, step, label in _RANGES
    ]
    selector = {
        "buttons": [*buttons, {"step": "all", "label": "all"}],
        "bgcolor": "@card",
        "activecolor": "@grid",
        "bordercolor": "@axis",
        "borderwidth": 1,
        "font": {"size": 11},
        "x": 0,
        "y": 1.02,
    }
    return figure(
        [drawn, *markers(trades, data.quote), *_still_open(data, span)],
        xaxis=time_axis(
            rangeselector=selector,
            rangeslider={"visible": False},
            range=[int(span.times_ms[0]), int(data.close_times_ms[-1])],
        ),
        yaxis=price_axis(data.quote, span),
        legend={"orientation": "h", "x": 0, "y": -0.1, "yanchor": "top", "itemsizing": "constant"},
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
    )


def price_axis(quote: str, span: PriceSpan) -> Figure:
    """The price axis of a symbol, hovering with the decimals of its tick."""
    return axis(quote, hoverformat=f",.{span.decimals}f", tickformat=",~f")


def markers(trades: pl.DataFrame, quote: str) -> list[Figure]:
    """Entries, and exits by their reason, as traces."""
    if not trades.height:
        return []
    hover = [f"Entry {moment(time)}" for time in trades["entry_ms"]]
    made = [_points("entry", "triangle-up", STRATEGY, trades["entry_ms"], trades["entry_price"], hover)]
    for reason, (symbol, name, color) in EXITS.items():
        some = trades.filter(pl.col("reason") == reason)
        if some.height:
            facts = zip(some["exit_ms"], some["percent"], some["profit"], strict=True)
            hover = [
                f"{name.capitalize()} {moment(time)}<br>{number(percent, signed=True)} %, "
                f"{number(profit, signed=True)} {quote}"
                for time, percent, profit in facts
            ]
            made.append(_points(name, symbol, color, some["exit_ms"], some["exit_price"], hover))
    return made


def _still_open(data: RunData, span: PriceSpan) -> list[Figure]:
    entry = data.open_entry(span.symbol)
    if entry is None:
        return []
    time_ms, price = entry
    hover = [f"Entry {moment(time_ms)}, still open"]
    return [_points("still open", "triangle-up-open", STRATEGY, [time_ms], [price], hover)]


def _points(name: str, symbol: str, color: str, x: Any, y: Any, hover: list[str]) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": packed(x),
        "y": packed(y),
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<br>at %{y}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "size": 11 if len(hover) <= 60 else 7,
            "color": color,
            "line": {"color": "@card", "width": 1},
        },
    }
