"""The last trades of a run, one at a time, from near by."""

from typing import Any

import numpy as np
import polars as pl

from backtest.report.labels import counted, moment, number
from backtest.report.markup import html, joined, note
from backtest.report.page import Page
from backtest.report.price import EXITS, candles, markers, price_axis
from backtest.report.run_data import PriceSpan, RunData
from backtest.report.sampling import drawn_step_ms, packed, resampled
from backtest.report.theme import GAIN, LOSS, STRATEGY, Figure, figure, time_axis

CLOSE_UPS = 30
_MOST_CANDLES = 100
_FEWEST_AROUND = 20


def close_up_section(page: Page, data: RunData) -> None:
    """The last trades, one at a time, on the candles of the run."""
    trades = data.trades.tail(CLOSE_UPS).reverse()
    spans = {span.symbol: span for span in data.spans if len(span.times_ms)}
    drawn = [
        _close_up(data, spans[trade["symbol"]], trade)
        for trade in trades.iter_rows(named=True)
        if trade["symbol"] in spans
    ]
    if not drawn:
        return
    page.data("close-ups", [each for _, each in drawn])
    options = joined(
        html("<option value='{place}'>{words}</option>", place=place, words=words)
        for place, (words, _) in enumerate(drawn)
    )
    shown = "the last trade" if len(drawn) == 1 else f"the last {counted(len(drawn), 'trade')}"
    page.section(
        "close-up",
        "A trade from near by",
        html(
            "<p class='tools'><button type='button' data-step='1'>Earlier</button>"
            "<button type='button' data-step='-1'>Later</button>"
            "<select id='close-up-choice' aria-label='Trade'>{options}</select></p>"
            "<div class='chart usual' id='close-up-chart'></div>",
            options=options,
        ),
        note(f"Choose one of {shown}. The lines are the prices at which it was bought and sold."),
    )


def _close_up(data: RunData, span: PriceSpan, trade: dict[str, Any]) -> tuple[str, Figure]:
    """A trade in words, and its figure: the candles from some time before it to some time after."""
    step_ms = data.result.rules.timeframe_ms
    length = (trade["exit_ms"] - trade["entry_ms"]) // step_ms + 1
    around = max(_FEWEST_AROUND, length // 3)
    entry, exit_ = span.close_rows(np.array([trade["entry_ms"], trade["exit_ms"]]))
    rows = slice(max(0, int(entry) - around), int(exit_) + around + 1)
    times, prices = span.times_ms[rows], {name: values[rows] for name, values in span.prices.items()}
    drawn_ms = drawn_step_ms(len(times), step_ms, _MOST_CANDLES)
    words = (
        f"{moment(trade['entry_ms'])}  {trade['symbol']}  {number(trade['percent'], signed=True)} %  "
        f"{EXITS[trade['reason']][1]}"
    )
    alone = pl.DataFrame([trade], schema=data.trades.schema)
    return words, figure(
        [
            candles(*resampled(times, prices, drawn_ms), span),
            _level(trade, "entry_price", STRATEGY),
            _level(trade, "exit_price", GAIN if trade["profit"] > 0 else LOSS),
            *markers(alone, data.quote),
        ],
        xaxis=time_axis(rangeslider={"visible": False}),
        yaxis=price_axis(data.quote, span),
    )


def _level(trade: dict[str, Any], price: str, color: str) -> Figure:
    """A price as a dotted line over the time of the trade."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": packed([trade["entry_ms"], trade["exit_ms"]]),
        "y": packed([trade[price]] * 2),
        "line": {"color": color, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
        "showlegend": False,
    }
