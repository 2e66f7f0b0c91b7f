"""Each voter's record: what it said, how often the price agreed, and what the trades it wanted brought."""

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from backtest.report.labels import number
from backtest.report.markup import Column, chart_text, note, table
from backtest.report.page import Page
from backtest.report.run_data import RunData
from backtest.report.sampling import Floats, Rows, Times
from backtest.report.theme import GAIN, INK, LOSS, Figure, axis, figure
from trading.signals import Side

# A vote is right when the close so many candles later went its way.
CANDLES_LATER = 10

_KINDS = ("BUY", "SELL", "HOLD", "no opinion")
_ABSENT = -1
# Reasons and the size of a confidence say nothing here; without them few distinct texts are left.
_REASONS = r',"reasons":\[(?:"(?:[^"\\]|\\.)*",?)*\]'
_SOME_CONFIDENCE = r'"confidence":[0-9.]*[1-9][0-9.eE+-]*'

Kinds = NDArray[np.int8]


class _Said(Struct):
    strategy: str
    side: str
    confidence: float


@dataclass
class VoterRecord:
    """A voter over a run.

    `said` counts its answers by kind (BUY, SELL, HOLD, no opinion: confidence 0). `judged` are its BUY
    and SELL votes that have a close `CANDLES_LATER` candles later, `right` those that it agreed with.
    `trades` are the closed trades whose entry it voted for, `won` those with a profit, `profit` its
    part of their profit: by weight x confidence among the BUY votes of the entry.
    """

    name: str
    said: Rows
    judged: int = 0
    right: int = 0
    trades: int = 0
    won: int = 0
    profit: float = 0.0


def voter_records(data: RunData) -> list[VoterRecord]:
    """The record of each enabled voter, in the order of the settings."""
    names = [seat.name for seat in data.result.rules.seats if seat.enabled]
    records = {name: VoterRecord(name, np.zeros(len(_KINDS), dtype=np.int64)) for name in names}
    outcomes = data.result.records.outcomes
    rows, distinct = _distinct(pl.Series(outcomes["votes"], dtype=pl.String))
    went = _went(data, np.asarray(outcomes["timestamp"], dtype=np.int64), outcomes["symbol"])
    for name, record in records.items():
        kinds = _kinds(distinct, name)[rows]
        record.said = np.bincount(kinds[kinds != _ABSENT], minlength=len(_KINDS))
        for kind, direction in ((0, 1), (1, -1)):
            moves = went[kinds == kind]
            record.judged += int(np.isfinite(moves).sum())
            record.right += int((moves * direction > 0).sum())
    _add_trades(data, records)
    return list(records.values())


def _distinct(votes: pl.Series) -> tuple[Rows, list[list[_Said]]]:
    """For each outcome the row of its votes in a list of distinct ones."""
    plain = votes.str.replace_all(_REASONS, "").str.replace_all(_SOME_CONFIDENCE, '"confidence":1')
    texts = plain.unique(maintain_order=True)
    places = pl.DataFrame({"votes": texts, "place": np.arange(len(texts))})
    found = plain.to_frame("votes").join(places, on="votes", how="left", maintain_order="left")
    decoder = msgspec.json.Decoder(list[_Said])
    return found["place"].to_numpy(), [decoder.decode(text) for text in texts]


def _kinds(distinct: list[list[_Said]], name: str) -> Kinds:
    """What a voter said in each of the distinct votes, as a place in `_KINDS`."""
    kinds = np.full(len(distinct), _ABSENT, dtype=np.int8)
    for row, votes in enumerate(distinct):
        for vote in votes:
            if vote.strategy == name:
                kinds[row] = _KINDS.index(vote.side) if vote.confidence else len(_KINDS) - 1
    return kinds


def _went(data: RunData, times_ms: Times, symbols: list[str]) -> Floats:
    """For each outcome how the close moved over the next candles: 1, 0, -1; NaN where the data ends."""
    went = np.full(len(times_ms), np.nan)
    column = pl.Series(symbols, dtype=pl.String)
    for span in data.spans:
        mine = (column == span.symbol).to_numpy()
        rows = span.close_rows(times_ms[mine])
        closes = span.prices["close"]
        later = rows + CANDLES_LATER
        known = (rows >= 0) & (later < len(closes))
        moved = np.full(len(rows), np.nan)
        moved[known] = np.sign(closes[later[known]] - closes[rows[known]])
        went[mine] = moved
    return went


def _add_trades(data: RunData, records: dict[str, VoterRecord]) -> None:
    unit = 10.0**-data.result.rules.quote_decimals
    for trade in data.result.records.trades:
        wanted = [vote for vote in trade.votes if vote.side is Side.BUY and vote.confidence]
        whole = sum(vote.weight * vote.confidence for vote in wanted)
        for vote in wanted:
            record = records.get(vote.strategy)
            if record is not None:
                part = vote.weight * vote.confidence / whole if whole else 0.0
                record.trades += 1
                record.won += trade.realized_profit > 0
                record.profit += trade.realized_profit * part * unit


def voters_section(page: Page, data: RunData) -> None:
    """The table of the voters, and what each said as bars."""
    records = voter_records(data)
    page.section(
        "voters",
        "Each voter's record",
        table(_columns(data.quote), [_row(record) for record in records]),
        page.chart("voters", _voters_figure(records), "small"),
        note(
            f"Right: {CANDLES_LATER} candles later the close was higher after its BUY, lower after its SELL "
            f"({_base_rate(data)}). Contribution: its part, by weight and confidence, of the profit of the "
            "closed trades whose entry it voted for. No opinion: it answered with confidence 0."
        ),
    )


def _base_rate(data: RunData) -> str:
    """How often a BUY at any candle would have been right."""
    closes = [span.prices["close"] for span in data.spans]
    moves = [each[CANDLES_LATER:] - each[:-CANDLES_LATER] for each in closes if len(each) > CANDLES_LATER]
    if not moves:
        return "there are too few candles to tell"
    rose = np.concatenate(moves) > 0
    return f"a BUY at every candle would have been right {number(100 * float(rose.mean()), 1)} % of the time"


def _columns(quote: str) -> list[Column]:
    headings = (
        "answers", "BUY", "SELL", "HOLD", "no opinion", "right %", "trades", "won %", f"contribution {quote}",
    )  # fmt: skip
    return [Column("Voter"), *(Column(heading, number=True) for heading in headings)]


def _row(record: VoterRecord) -> tuple[str, ...]:
    return (
        record.name,
        number(int(record.said.sum())),
        *(number(int(count)) for count in record.said),
        number(100 * record.right / record.judged if record.judged else None, 1),
        number(record.trades),
        number(100 * record.won / record.trades if record.trades else None, 1),
        number(record.profit if record.trades else None, signed=True),
    )


def _voters_figure(records: list[VoterRecord]) -> Figure:
    colors = (GAIN, LOSS, INK, "@grid")
    names = [chart_text(record.name) for record in reversed(records)]
    shares = [100 * record.said / max(1, record.said.sum()) for record in reversed(records)]
    bars: list[Figure] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": kind,
            "y": names,
            "x": [float(share[place]) for share in shares],
            "marker": {"color": color},
            "hovertemplate": "%{y}: " + kind + " in %{x:.1f} % of its answers<extra></extra>",
        }
        for place, (kind, color) in enumerate(zip(_KINDS, colors, strict=True))
    ]
    return figure(
        bars,
        barmode="stack",
        bargap=0.5,
        xaxis=axis("share of its answers", ticksuffix=" %", range=[0, 100]),
        yaxis=axis(type="category", showgrid=False),
    )
