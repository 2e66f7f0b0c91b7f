"""The outcomes of a compiled run as the columns that backtest.records keeps (decisions.parquet)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from backtest.fast.arrays import APPROVED, BUY, Bytes, Ints
from backtest.fast.candles import CandleArrays
from backtest.fast.rules import vote_rules
from backtest.fast.simulate import Words
from backtest.fast.votes import NO_QUORUM, NO_VOTES, TIE, UNDER_THRESHOLD, WON, Ballot, vote
from backtest.records import OUTCOME_COLUMNS, vote_json
from backtest.simulation import Voice
from trading.decisions import Refusal
from trading.orders import order_id
from trading.rules import PERCENT, Rules, Seat
from trading.strategies.evaluate import ABSENT, CODES, Evaluated
from trading.vote import Vote, Why

_WHY = {
    WON: Why.WON,
    NO_VOTES: Why.NO_VOTES,
    TIE: Why.TIE,
    UNDER_THRESHOLD: Why.UNDER_THRESHOLD,
    NO_QUORUM: Why.NO_QUORUM,
}
_REFUSALS = (
    "", "", Refusal.KILLED, Refusal.DAILY_LOSS, Refusal.STALE, Refusal.COOLDOWN, Refusal.MAX_OPEN_POSITIONS,
    Refusal.MAX_EXPOSURE, Refusal.MAX_ORDERS_PER_MINUTE, Refusal.MIN_NOTIONAL,
)  # fmt: skip
_SIDES = {code: side for side, code in CODES.items()}
# A float counts whole numbers exactly up to here.
_EXACT = 2**53


@dataclass(frozen=True)
class Counted:
    """What one strategy's voice adds to the votes of one symbol in range: at each row of the range the index
    (into what it said) of the signal that counts, or -1."""

    seat: Seat
    said: Evaluated
    index: Ints

    @classmethod
    def of(cls, seat: Seat, said: Evaluated, first: int) -> "Counted":
        """The signals that count from the index `first` on: a strategy's newest while it is valid."""
        rows = np.arange(first, len(said))
        newest = np.maximum.accumulate(np.where(said.sides[first:] != ABSENT, rows, -1))
        return cls(seat, said, np.where((newest >= 0) & (rows - newest < seat.valid_candles), newest, -1))

    def vote(self, row: int, timeframe_ms: int, open_time_ms: int) -> Vote | None:
        """Its vote at a row of the range."""
        index = int(self.index[row])
        if index < 0:
            return None
        age = len(self.said) - len(self.index) + row - index
        return Vote(
            self.seat.name,
            _SIDES[int(self.said.sides[index])],
            int(self.said.confidences[index]),
            self.seat.weight,
            open_time_ms - age * timeframe_ms,
            self.said.reasons_at(index),
        )

    def texts(self, timeframe_ms: int) -> pl.Series:
        """Its vote at each row as JSON text, null where it has none; equal votes are written once."""
        first = len(self.said) - len(self.index)
        age = np.arange(first, len(self.said)) - self.index
        reasons = self.said.reasons
        frame = pl.DataFrame(
            {
                "index": self.index,
                "side": self.said.sides[self.index],
                "confidence": self.said.confidences[self.index],
                "age": np.where(self.index < 0, 0, age),
                "reasons": reasons.gather(np.maximum(self.index, 0)) if reasons is not None else None,
            }
        )
        key = ["side", "confidence", "age", "reasons"]
        votes = frame.filter(pl.col("index") >= 0).unique(key, keep="any", maintain_order=True)
        written = [
            self._text(index, age, timeframe_ms) for index, age in votes.select("index", "age").iter_rows()
        ]
        texts = frame.join(
            votes.select(*key, pl.Series("text", written, pl.String)),
            on=key,
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        return texts.select(pl.when(pl.col("index") >= 0).then("text"))["text"]

    def _text(self, index: int, age: int, timeframe_ms: int) -> str:
        side = _SIDES[int(self.said.sides[index])].value
        confidence = int(self.said.confidences[index])
        reasons = self.said.reasons_at(index)
        return vote_json(age * timeframe_ms, self.seat.name, side, confidence, self.seat.weight, reasons)


@dataclass(frozen=True)
class Decisions:
    """Every vote of a run: made of what was said, and of the verdicts (symbols, rows) of the account."""

    rules: Rules
    candles: CandleArrays
    voices: Sequence[Sequence[Voice]]
    words: Sequence[Words]
    verdicts: Bytes

    @cached_property
    def counted(self) -> list[list[Counted]]:
        """For each symbol, what each enabled strategy adds to its votes."""
        seats = [seat for seat in self.rules.seats if seat.enabled]
        return [
            [
                Counted.of(seat, voice.said, self.candles.own_rows(s)[0] - self.candles.offsets[s])
                for seat, voice in zip(seats, voices, strict=True)
            ]
            for s, voices in enumerate(self.voices)
        ]

    def votes(self, s: int, row: int) -> tuple[Vote, ...]:
        """The votes of one symbol at one row."""
        own, open_time_ms = row - self.candles.own_rows(s)[0], int(self.candles.times_ms[row])
        votes = (each.vote(own, self.rules.timeframe_ms, open_time_ms) for each in self.counted[s])
        return tuple(each for each in votes if each is not None)

    def columns(self) -> dict[str, list[Any]]:
        """The columns of backtest.records, by open time, then in the order of the settings."""
        frames = [self._symbol(s) for s in range(self.candles.symbols)]
        every = pl.concat(frames)
        if len(frames) > 1:
            every = every.sort("timestamp", maintain_order=True)
        return {name: every[name].to_list() for name in OUTCOME_COLUMNS}

    def _symbol(self, s: int) -> pl.DataFrame:
        first, last = self.candles.own_rows(s)
        ballot = self._ballot(s)
        symbol = self.rules.markets[s].symbol
        verdicts = self.verdicts[s, first:last]
        refusals = np.array([str(each) for each in _REFUSALS], object)[verdicts]
        sides = np.array([_SIDES[code].value for code in (0, 1, -1)], object)[ballot.outcomes]
        said = np.array(["", "approved", "refused"], object)[np.minimum(verdicts, 2)]
        words = np.array([_WHY[code].value for code in range(len(_WHY))], object)[ballot.why]
        texts = [each.texts(self.rules.timeframe_ms) for each in self.counted[s]]
        return pl.DataFrame(
            {
                "timestamp": self.candles.times_ms[first:last],
                "symbol": pl.repeat(symbol, last - first, dtype=pl.String, eager=True),
                "outcome": pl.Series(sides.tolist(), dtype=pl.String),
                "why": pl.Series(words.tolist(), dtype=pl.String),
                "score_percent": scores(ballot),
                "votes": pl.Series(_lists(texts, last - first)),
                "verdict": pl.Series(said.tolist(), dtype=pl.String),
                "refusal": pl.Series(refusals.tolist(), dtype=pl.String),
                "order_id": pl.Series(
                    list(self._order_ids(symbol, verdicts, ballot, first)), dtype=pl.String
                ),
            }
        )

    def _ballot(self, s: int) -> Ballot:
        first, last = self.candles.own_rows(s)
        rows = last - first
        ballot = Ballot(
            np.zeros(rows, np.int8),
            np.zeros(rows, np.int8),
            np.zeros(rows, np.int64),
            np.zeros(rows, np.int64),
        )
        said = self.words[s]
        vote(said.sides, said.confidences, first - self.candles.offsets[s], *vote_rules(self.rules), ballot)
        return ballot

    def _order_ids(self, symbol: str, verdicts: Bytes, ballot: Ballot, first: int) -> Iterator[str]:
        ids = np.full(len(verdicts), "", object)
        for row in np.flatnonzero(verdicts == APPROVED):
            what = "entry" if ballot.outcomes[row] == BUY else "exit"
            ids[row] = order_id(int(self.candles.times_ms[first + row]), symbol, what)
        yield from ids


def scores(ballot: Ballot) -> list[float]:
    """The winner's score of each vote in percent, 0 without an opinion; the nearest float to each."""
    if not len(ballot.best) or int(max(ballot.best.max(), ballot.opinion.max() * PERCENT)) < _EXACT:
        whole = np.maximum(ballot.opinion, 1) * PERCENT
        made: list[float] = (ballot.best / whole).tolist()
        return made
    pairs = zip(ballot.best.tolist(), ballot.opinion.tolist(), strict=True)
    return [best / (opinion * PERCENT) if opinion else 0.0 for best, opinion in pairs]


def _lists(texts: Sequence[pl.Series], rows: int) -> pl.Series:
    """The JSON lists of the votes at each row."""
    if not texts:
        return pl.repeat("[]", rows, dtype=pl.String, eager=True)
    named = pl.DataFrame([text.alias(str(place)) for place, text in enumerate(texts)])
    joined = pl.concat_str(pl.all(), separator=",", ignore_nulls=True).fill_null("")
    return named.select(pl.format("[{}]", joined)).to_series()
