"""The compiled backtest: the same run as the reference's, to the last unit, many times faster."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backtest.fast.arrays import (
    C_CASH,
    C_EQUITY,
    C_HELD,
    KILL_SWITCH,
    SIGNAL,
    STOP,
    T_AMOUNT,
    T_CLOSED,
    T_ENTRY_FEE,
    T_ENTRY_MS,
    T_ENTRY_PRICE,
    T_ENTRY_ROW,
    T_EXIT_FEE,
    T_EXIT_MS,
    T_EXIT_PRICE,
    T_EXIT_ROW,
    T_REASON,
    T_STOP,
    T_SYMBOL,
    T_TARGET,
    TAKE_PROFIT,
    Ints,
)
from backtest.fast.candles import CandleArrays, candle_arrays
from backtest.fast.compiled import is_stored
from backtest.fast.decisions import Decisions
from backtest.fast.simulate import Buffers, Simulated, Words, outcomes_of, simulate, trade_facts_of
from backtest.simulation import Progress, Simulation, Voice, listen
from trading.grid import CandleGrid
from trading.ledger import Position, Trade
from trading.orders import Reason, order_id
from trading.rules import Rules
from trading.statistics import TradeFacts

_REASONS = {
    KILL_SWITCH: Reason.KILL_SWITCH,
    STOP: Reason.STOP,
    TAKE_PROFIT: Reason.TAKE_PROFIT,
    SIGNAL: Reason.SIGNAL,
}


def run_fast(simulation: Simulation, progress: Progress) -> "FastRecords":
    """Simulate, and return what is left behind.

    Raises what `run_reference` raises, and TooLarge when 64 bits cannot hold the run.
    """
    voices = list(listen(simulation, CandleGrid(simulation.histories), progress))
    candles = candle_arrays(simulation.histories, simulation.first_open_ms, simulation.details)
    by_symbol = _by_symbol(voices, len(simulation.histories))
    words = [_words(each, candles.lengths[s]) for s, each in enumerate(by_symbol)]
    rules, buffers = simulation.rules, Buffers()
    if not is_stored():
        progress("compiling, once on this machine", 0, 1)
    outcomes = outcomes_of(rules, candles, words, buffers)
    simulated = simulate(rules, candles, outcomes, buffers, keep=True)
    decisions = Decisions(rules, candles, by_symbol, words, simulated.verdicts)
    rows = candles.rows - candles.first_row
    progress("trading", rows, rows)
    return FastRecords(rules, candles, simulated, decisions)


def _by_symbol(voices: Sequence[Voice], symbols: int) -> list[list[Voice]]:
    """What the strategies say, by symbol, in the order of the settings; they come strategy by strategy."""
    return [list(voices[s::symbols]) for s in range(symbols)]


def _words(voices: Sequence[Voice], length: int) -> Words:
    shape = len(voices), length
    sides = np.array([voice.said.sides for voice in voices], np.int8)
    confidences = np.array([voice.said.confidences for voice in voices], np.int32)
    return Words(sides.reshape(shape), confidences.reshape(shape))


@dataclass(frozen=True)
class FastRecords:
    """What a compiled run leaves behind: the attributes of backtest.records.Records, made when asked for."""

    rules: Rules
    candles: CandleArrays
    simulated: Simulated
    decisions: Decisions

    @property
    def open_times_ms(self) -> Ints:
        """The open times in range."""
        return self.candles.times_ms[self.candles.first_row :]

    @property
    def equity(self) -> Ints:
        """Equity at each close."""
        return self._curve(C_EQUITY)

    @property
    def cash(self) -> Ints:
        """Cash at each close."""
        return self._curve(C_CASH)

    @property
    def held(self) -> Any:
        """Whether a position was open at each close."""
        return self._curve(C_HELD).astype(np.bool_)

    @property
    def held_prices(self) -> dict[str, tuple[int, int]]:
        """Each symbol's first open and last close in range, in ticks."""
        return {self._symbol(s): prices for s, prices in self.candles.held_prices.items()}

    @property
    def candles_filled(self) -> int:
        """How many candles in range were made for holes."""
        return self.candles.candles_filled

    @property
    def trade_facts(self) -> TradeFacts:
        """What the figures need of the trades."""
        return trade_facts_of(self.rules, self.simulated.trades)

    @cached_property
    def trades(self) -> list[Trade]:
        """The closed trades, in the order of their exits; within one open time as they were filled."""
        rows = self.simulated.trades
        closed = rows[:, rows[T_REASON] != 0]
        return [self._trade(column) for column in closed[:, np.argsort(closed[T_CLOSED])].T.tolist()]

    @cached_property
    def open_positions(self) -> dict[str, Position]:
        """What is still open, as it was opened, by symbol, in the order of the entries."""
        rows = self.simulated.trades
        still = rows[:, rows[T_REASON] == 0].T.tolist()
        return {self._symbol(column[T_SYMBOL]): self._position(column) for column in still}

    @cached_property
    def outcomes(self) -> dict[str, list[Any]]:
        """The columns of every vote."""
        return self.decisions.columns()

    def _curve(self, row: int) -> Ints:
        return self.simulated.curve[row, self.candles.first_row :]

    def _symbol(self, s: int) -> str:
        return self.rules.markets[s].symbol

    def _trade(self, column: list[int]) -> Trade:
        s, lots = column[T_SYMBOL], column[T_AMOUNT]
        market, symbol = self.rules.markets[s], self._symbol(s)
        entry_notional = market.notional(column[T_ENTRY_PRICE], lots)
        exit_notional = market.notional(column[T_EXIT_PRICE], lots)
        reason = _REASONS[column[T_REASON]]
        return Trade(
            symbol=symbol,
            amount=lots,
            entry_time_ms=column[T_ENTRY_MS],
            entry_price=column[T_ENTRY_PRICE],
            entry_notional=entry_notional,
            entry_fee=column[T_ENTRY_FEE],
            entry_order_id=self._id(column[T_ENTRY_ROW], symbol, "entry"),
            exit_time_ms=column[T_EXIT_MS],
            exit_price=column[T_EXIT_PRICE],
            exit_notional=exit_notional,
            exit_fee=column[T_EXIT_FEE],
            exit_order_id=order_id(column[T_EXIT_MS], symbol, reason)
            if column[T_EXIT_ROW] < 0
            else self._id(column[T_EXIT_ROW], symbol, "exit"),
            exit_reason=reason,
            realized_profit=exit_notional - entry_notional - column[T_ENTRY_FEE] - column[T_EXIT_FEE],
            votes=self.decisions.votes(s, column[T_ENTRY_ROW]),
        )

    def _position(self, column: list[int]) -> Position:
        s, lots, entry_row = column[T_SYMBOL], column[T_AMOUNT], column[T_ENTRY_ROW]
        symbol = self._symbol(s)
        return Position(
            symbol=symbol,
            amount=lots,
            entry_price=column[T_ENTRY_PRICE],
            entry_notional=self.rules.markets[s].notional(column[T_ENTRY_PRICE], lots),
            entry_fee=column[T_ENTRY_FEE],
            entry_time_ms=column[T_ENTRY_MS],
            entry_order_id=self._id(entry_row, symbol, "entry"),
            stop=column[T_STOP],
            target=column[T_TARGET],
            votes=self.decisions.votes(s, entry_row),
            bought=lots,
        )

    def _id(self, row: int, symbol: str, what: str) -> str:
        return order_id(int(self.candles.times_ms[row]), symbol, what)
