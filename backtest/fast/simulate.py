"""A run of the compiled engine: what the strategies said goes in, trades and marks come out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtest.fast.account import trade
from backtest.fast.arrays import (
    CURVE_ROWS,
    MORE_TRADES,
    OVERFLOW,
    T_AMOUNT,
    T_ENTRY_FEE,
    T_ENTRY_MS,
    T_ENTRY_PRICE,
    T_EXIT_FEE,
    T_EXIT_MS,
    T_EXIT_PRICE,
    T_REASON,
    T_SYMBOL,
    TRADE_ROWS,
    Bytes,
    Ints,
    Marks,
)
from backtest.fast.candles import CandleArrays
from backtest.fast.rules import TooLarge, account_rules, market_arrays, vote_rules
from backtest.fast.votes import Ballot, vote, vote_alone
from trading.rules import Rules
from trading.statistics import CurveFacts, TradeFacts, exact_sum

FEWEST_TRADES = 4_096

_NOTHING_KEPT = Ballot(
    np.zeros(0, np.int8), np.zeros(0, np.int8), np.zeros(0, np.int64), np.zeros(0, np.int64)
)


@dataclass(frozen=True)
class Words:
    """What the enabled strategies say of one symbol, (strategies, its candles): sides as in
    trading.strategies.evaluate, confidences in millionths of a percent."""

    sides: Bytes
    confidences: NDArray[np.int32]


class Buffers:
    """Memory that one run after another writes into, so that its pages are touched once.

    It holds the outcomes, the trades and the daily equities of the largest run so far.
    """

    def __init__(self) -> None:
        self._outcomes = np.zeros((0, 0), np.int8)
        self._trades = np.zeros((TRADE_ROWS, FEWEST_TRADES), np.int64)

    def outcomes(self, candles: CandleArrays) -> Bytes:
        """Room for every symbol's outcomes, all HOLD."""
        shape = (candles.symbols, candles.rows)
        if self._outcomes.shape != shape:
            self._outcomes = np.zeros(shape, np.int8)
        return self._outcomes

    def trades(self, least: int = 0) -> Ints:
        """Room for trades, for at least so many."""
        if self._trades.shape[1] < least:
            self._trades = np.zeros((TRADE_ROWS, least), np.int64)
        return self._trades


@dataclass(frozen=True)
class Simulated:
    """What a run left: its marks, its trades (TRADE_ROWS, trades), the last equity of each UTC day, and, if
    they were to be kept, the curve (CURVE_ROWS, rows) and the verdicts (symbols, rows)."""

    marks: Marks
    trades: Ints
    daily: Ints
    curve: Ints
    verdicts: Bytes


def outcomes_of(rules: Rules, candles: CandleArrays, words: Sequence[Words], buffers: Buffers) -> Bytes:
    """The vote of every symbol at every row, (symbols, rows): BUY, SELL or 0."""
    outcomes = buffers.outcomes(candles)
    by = vote_rules(rules)
    alone = len(by.weights) == 1 and by.weights[0] > 0 and by.valid_candles[0] == 1
    for s, said in enumerate(words):
        first, last = candles.own_rows(s)
        own, made = first - candles.offsets[s], outcomes[s, first:last]
        if alone:
            vote_alone(said.sides[0, own:], said.confidences[0, own:], by.threshold, made)
        else:
            vote(said.sides, said.confidences, own, *by, _NOTHING_KEPT._replace(outcomes=made))
    return outcomes


def simulate(
    rules: Rules, candles: CandleArrays, outcomes: Bytes, buffers: Buffers, *, keep: bool = False
) -> Simulated:
    """Run the account. Raises TooLarge when money outgrows 64 bits; nothing was decided then."""
    daily = np.zeros(len(candles.day_rows), np.int64)
    columns = candles.rows if keep else 0
    curve = np.zeros((CURVE_ROWS, columns), np.int64)
    verdicts = np.zeros((candles.symbols, columns), np.int8)
    account, markets = account_rules(rules), market_arrays(rules, candles)
    room = buffers.trades()
    while True:
        marks = Marks(*trade(
            candles.times_ms, candles.prices, candles.kind,
            candles.since_hole(rules.limits.max_gap_candles), candles.roll_rows, candles.day_rows,
            candles.moments, candles.moment_ms, candles.starts, markets, account, outcomes,
            candles.first_row, room, daily, curve, verdicts,
        ))  # fmt: skip
        if marks.ended == OVERFLOW:
            raise TooLarge
        if marks.ended != MORE_TRADES:
            return Simulated(marks, room[:, : marks.trades], daily, curve, verdicts)
        room = buffers.trades(4 * room.shape[1])


def curve_facts_of(rules: Rules, candles: CandleArrays, simulated: Simulated) -> CurveFacts:
    """What the figures need of the equity curve."""
    marks = simulated.marks
    return CurveFacts(
        first_open_ms=int(candles.times_ms[candles.first_row]),
        last_close_ms=int(candles.times_ms[-1]) + candles.timeframe_ms,
        initial_capital=rules.initial_capital,
        final_equity=marks.equity,
        daily_equity=simulated.daily.tolist(),
        fallen=marks.fallen,
        under_ms=marks.under_ms,
        held=marks.held,
        candles=candles.rows - candles.first_row,
    )


def trade_facts_of(rules: Rules, trades: Ints) -> TradeFacts:
    """What the figures need of the trades."""
    tick_lot = np.array([market.tick_lot for market in rules.markets], np.int64)
    worth = trades[T_AMOUNT] * tick_lot[trades[T_SYMBOL]]
    closed = trades[T_REASON] != 0
    entry = worth * trades[T_ENTRY_PRICE]
    exit_, exit_fee = (worth * trades[T_EXIT_PRICE])[closed], trades[T_EXIT_FEE][closed]
    return TradeFacts(
        realized_profit=exit_ - entry[closed] - trades[T_ENTRY_FEE][closed] - exit_fee,
        entry_notional=entry[closed],
        held_ms=(trades[T_EXIT_MS] - trades[T_ENTRY_MS])[closed],
        fees=exact_sum(trades[T_ENTRY_FEE]) + exact_sum(exit_fee),
        turnover=exact_sum(entry) + exact_sum(exit_),
    )
