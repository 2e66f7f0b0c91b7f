"""What a run leaves behind: the engine's decisions, gathered in columns as they come."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading.decisions import (
    AnyDecision,
    Approved,
    EquityMarked,
    Noticed,
    OutcomeDecided,
    PositionOpened,
    Refused,
    TradeClosed,
)
from trading.events import CandlesClosed
from trading.ledger import Position, Trade
from trading.signals import MILLIONTHS
from trading.statistics import TradeFacts, trade_facts
from trading.vote import Vote

Ints = NDArray[np.int64]
OUTCOME_COLUMNS = (
    "timestamp", "symbol", "outcome", "why", "score_percent", "votes", "verdict", "refusal", "order_id",
)  # fmt: skip


class RunRecords(Protocol):
    """What every engine leaves behind, in columns: money in quote units, times in milliseconds.

    Equity, cash and whether anything was held at the close of each open time; the closed trades, what is
    still open, and what the figures need of both; every vote's outcome by `OUTCOME_COLUMNS`; each symbol's
    first open and last close in ticks; and how many candles were filled.
    """

    @property
    def open_times_ms(self) -> Sequence[int] | Ints: ...
    @property
    def equity(self) -> Sequence[int] | Ints: ...
    @property
    def cash(self) -> Sequence[int] | Ints: ...
    @property
    def held(self) -> Sequence[bool] | NDArray[np.bool_]: ...
    @property
    def trades(self) -> list[Trade]: ...
    @property
    def open_positions(self) -> dict[str, Position]: ...
    @property
    def trade_facts(self) -> TradeFacts: ...
    @property
    def outcomes(self) -> dict[str, list[Any]]: ...
    @property
    def held_prices(self) -> dict[str, tuple[int, int]]: ...
    @property
    def candles_filled(self) -> int: ...


class Records:
    """Equity at each close, every outcome, every trade, and what is still open, in columns.

    Money in quote units, times in milliseconds; `held_prices` are each symbol's first open and last
    close in ticks. `take` is fed every decision in order; the same
    decisions, from a run in this process or from storage, leave the same records.
    """

    def __init__(self) -> None:
        self.open_times_ms: list[int] = []
        self.equity: list[int] = []
        self.cash: list[int] = []
        self.held: list[bool] = []
        self.trades: list[Trade] = []
        self.open_positions: dict[str, Position] = {}
        self.notices: list[Noticed] = []
        self.held_prices: dict[str, tuple[int, int]] = {}
        self.candles_filled = 0
        self.outcomes: dict[str, list[Any]] = {name: [] for name in OUTCOME_COLUMNS}
        columns = self.outcomes
        self._append_outcome = tuple(column.append for column in columns.values())
        self._takers: dict[type[Any], Callable[[Any], None]] = {
            EquityMarked: self._take_equity,
            OutcomeDecided: self._take_outcome,
            TradeClosed: self._take_trade,
            PositionOpened: self._take_position,
            Noticed: self.notices.append,
        }

    @property
    def trade_facts(self) -> TradeFacts:
        """What the figures need of the trades."""
        return trade_facts(self.trades, self.open_positions.values())

    def see(self, closed: CandlesClosed) -> None:
        """Keep what the figures need of the candles: first open, last close, how many were filled."""
        for candle in closed.candles:
            first = self.held_prices.get(candle.symbol)
            self.held_prices[candle.symbol] = (first[0] if first else candle.open, candle.close)
            self.candles_filled += candle.filled

    def take(self, decisions: Iterable[AnyDecision]) -> None:
        """Keep what the result files need of these decisions."""
        takers = self._takers
        for decision in decisions:
            taker = takers.get(type(decision))
            if taker is not None:
                taker(decision)

    def _take_equity(self, marked: EquityMarked) -> None:
        self.open_times_ms.append(marked.open_time_ms)
        self.equity.append(marked.equity)
        self.cash.append(marked.cash)
        self.held.append(marked.held)

    def _take_outcome(self, decided: OutcomeDecided) -> None:
        outcome, verdict = decided.outcome, decided.verdict
        said, refusal, order_id = "", "", ""
        if isinstance(verdict, Approved):
            said, order_id = "approved", verdict.order.id
        elif isinstance(verdict, Refused):
            said, refusal = "refused", verdict.reason.value
        row = (
            decided.open_time_ms,
            decided.symbol,
            outcome.side.value,
            outcome.why.value,
            outcome.score_percent,
            votes_json(decided.open_time_ms, outcome.votes),
            said,
            refusal,
            order_id,
        )
        for append, value in zip(self._append_outcome, row, strict=True):
            append(value)

    def _take_trade(self, closed: TradeClosed) -> None:
        self.trades.append(closed.trade)
        self.open_positions.pop(closed.trade.symbol, None)

    def _take_position(self, opened: PositionOpened) -> None:
        self.open_positions[opened.position.symbol] = opened.position


def votes_json(open_time_ms: int, votes: tuple[Vote, ...]) -> str:
    """The votes of an outcome as a JSON list; `age_ms` only where an older candle's signal counts."""
    if len(votes) == 1:
        vote = votes[0]
        return f"[{_vote_json(open_time_ms - vote.open_time_ms, *_facts(vote))}]"
    return "[" + ",".join(_vote_json(open_time_ms - vote.open_time_ms, *_facts(vote)) for vote in votes) + "]"


def _facts(vote: Vote) -> tuple[str, str, int, int, tuple[str, ...]]:
    return vote.strategy, vote.side.value, vote.confidence, vote.weight, vote.reasons


def vote_json(
    age_ms: int, strategy: str, side: str, confidence: int, weight: int, reasons: tuple[str, ...]
) -> str:
    """One vote as JSON text."""
    said: dict[str, Any] = {
        "strategy": strategy,
        "side": side,
        "confidence": confidence / MILLIONTHS,
        "weight": weight / MILLIONTHS,
    }
    if reasons:
        said["reasons"] = reasons
    if age_ms:
        said["age_ms"] = age_ms
    return msgspec.json.encode(said).decode()


_vote_json = lru_cache(maxsize=4096)(vote_json)


def votes_text(votes: Iterable[Vote]) -> str:
    """The votes in words: `cross BUY 100; technical HOLD 0`."""
    return "; ".join(f"{vote.strategy} {vote.side} {vote.confidence / MILLIONTHS:g}" for vote in votes)
