"""What the trades of a run were like: their returns, why they ended, and the last of them."""

import heapq
from collections.abc import Sequence

import numpy as np
import polars as pl

from backtest.records import votes_text
from backtest.report.labels import DASH, counted, moment, number
from backtest.report.markup import Column, html, joined, note, table
from backtest.report.page import Page
from backtest.report.price import EXITS
from backtest.report.run_data import RunData
from backtest.report.sampling import packed
from backtest.report.theme import GAIN, LOSS, Figure, axis, figure, marked_value
from backtest.results import RunResult
from trading.ledger import Position, Trade

LAST_TRADES = 50
_MOST_BINS = 60


def distribution_section(page: Page, data: RunData) -> None:
    """A histogram of the trades' returns."""
    percents = data.trades["percent"].to_numpy()
    if len(percents):
        mean = float(percents.mean())
        parts = [
            page.chart("distribution", _distribution_figure(percents)),
            note(
                f"Profit after fees over what the entry cost; the dashed line is the mean, {number(mean)} %."
            ),
        ]
    else:
        parts = [note("No trade was closed.")]
    page.section("distribution", "Distribution of trade returns", joined(parts))


def _distribution_figure(percents: np.ndarray) -> Figure:
    """Bars on bins of a round width with a border at zero, so that gain and loss never share one."""
    widest = max(abs(float(percents.min())), abs(float(percents.max())), 0.01)
    width = _round_up(2 * widest / _MOST_BINS)
    bins = np.floor(percents / width).astype(np.int64)
    places, counts = np.unique(bins, return_counts=True)
    bars: Figure = {
        "type": "bar",
        "x": packed((places + 0.5) * width),
        "y": packed(counts),
        "width": width,
        "marker": {"color": [GAIN if place >= 0 else LOSS for place in places.tolist()]},
        "hovertext": [f"{number(p * width)} to {number((p + 1) * width)} %" for p in places.tolist()],
        "hovertemplate": "%{hovertext}: %{y} trades<extra></extra>",
    }
    return figure(
        [bars],
        bargap=0.05,
        xaxis=axis("return of a trade", ticksuffix=" %", showgrid=False),
        yaxis=axis("trades", tickformat=",d"),
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        **marked_value(float(percents.mean()), "mean"),
    )


def _round_up(width: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(power * step for step in (1, 2, 5, 10) if power * step >= width))


def exits_section(page: Page, data: RunData) -> None:
    """How often each kind of exit happened, and what it brought."""
    grouped = data.trades.group_by("reason").agg(
        count=pl.len(),
        won=(pl.col("profit") > 0).mean() * 100,
        percent=pl.col("percent").mean(),
        profit=pl.col("profit").sum(),
        hours=pl.col("hours").mean(),
    )
    found = {row["reason"]: row for row in grouped.iter_rows(named=True)}
    rows = [
        (
            name,
            number(found[reason]["count"]),
            number(100 * found[reason]["count"] / data.trades.height, 1),
            number(found[reason]["won"], 1),
            number(found[reason]["percent"], signed=True),
            number(found[reason]["profit"], signed=True),
            number(found[reason]["hours"], 1),
        )
        for reason, (_, name, _) in EXITS.items()
        if reason in found
    ]
    headings = ("trades", "share %", "won %", "mean return %", f"profit {data.quote}", "mean hours")
    columns = [Column("Exit"), *(Column(heading, number=True) for heading in headings)]
    page.section("exits", "Exit reasons", table(columns, rows) if rows else note("No trade was closed."))


def trades_section(page: Page, result: RunResult) -> None:
    """The last trades, the newest first, open positions before them."""
    records = result.records
    last = heapq.nlargest(
        LAST_TRADES, records.trades, key=lambda trade: (trade.exit_time_ms, trade.entry_time_ms)
    )
    every: list[Trade | Position] = [*records.open_positions.values(), *last]
    if not every:
        return
    words = f"The last {len(last)} of {counted(len(records.trades), 'closed trade')}"
    if records.open_positions:
        words += f", and {counted(len(records.open_positions), 'open position')}"
    headings = (
        Column("Symbol"), Column("Entry (UTC)"), Column("price", True), Column("amount", True),
        Column("Exit (UTC)"), Column("price", True), Column("why"),
        Column(f"profit {result.rules.quote}", True), Column("return %", True), Column("votes for the entry"),
    )  # fmt: skip
    page.section(
        "trades",
        "Last trades",
        table(headings, [_row(result, trade) for trade in every]),
        note(f"{words}. All of them are in trades.csv."),
    )


def _row(result: RunResult, trade: Trade | Position) -> Sequence[object]:
    market = next(market for market in result.rules.markets if market.symbol == trade.symbol)
    entry = (
        trade.symbol,
        moment(trade.entry_time_ms),
        f"{market.price(trade.entry_price):,f}",
        f"{market.amount(trade.amount):,f}",
    )
    votes = votes_text(trade.votes)
    if isinstance(trade, Position):
        return (*entry, DASH, DASH, "still open", DASH, DASH, votes)
    profit = result.money(trade.realized_profit)
    side = "gain" if trade.realized_profit > 0 else "loss"
    return (
        *entry,
        moment(trade.exit_time_ms),
        f"{market.price(trade.exit_price):,f}",
        EXITS[trade.exit_reason][1],
        html("<span class='{side}'>{profit}</span>", side=side, profit=number(profit, signed=True)),
        number(100 * trade.realized_profit / trade.entry_notional, signed=True),
        votes,
    )
