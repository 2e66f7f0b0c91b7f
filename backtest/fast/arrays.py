"""The codes and the layout of the arrays that the compiled account works on.

Few plain arrays, indexed by these names: whatever holds many arrays is counted by the compiled code at
each use, which costs more than the rules themselves.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.int8]

# What a candle is.
ABSENT, FILLED, REAL = 0, 1, 2
# Outcomes of a vote; 0 is HOLD.
BUY, SELL = 1, -1
# Exit reasons; 0 is none.
KILL_SWITCH, STOP, TAKE_PROFIT, SIGNAL = 1, 2, 3, 4
# What risk said of an outcome that asked for an order; 0 is nothing.
APPROVED, KILLED, DAILY_LOSS, STALE, COOLDOWN = 1, 2, 3, 4, 5
MAX_OPEN_POSITIONS, MAX_EXPOSURE, MAX_ORDERS_PER_MINUTE, MIN_NOTIONAL = 6, 7, 8, 9
# How a run ended.
DONE, OVERFLOW, MORE_TRADES = 0, 1, 2

# Prices in ticks: the last axis of (rows, symbols, 4) and of (moments, 4).
OPEN, HIGH, LOW, CLOSE = 0, 1, 2, 3

# The account's book, (BOOK_ROWS, symbols): lots held and their worth a tick, protection in ticks, the
# waiting exit's reason and the row that decided it, the trade's place, the lots of a waiting entry, and
# until when a stop forbids entries. HELD lists the symbols held.
AMOUNT, WORTH, STOP_PRICE, TARGET, HIGHEST, EXIT_REASON, EXIT_ROW, TRADE, ENTRY, COOLDOWN_MS, HELD = range(11)
BOOK_ROWS = 11

# A symbol's units, (MARKET_ROWS, symbols): a lot's worth at one tick, fee step and smallest notional in
# quote units, and the largest amount x tick_lot that 64 bits hold at every price.
TICK_LOT, FEE_STEP, MINIMUM, MOST_WORTH = range(4)
MARKET_ROWS = 4

# Trades, (TRADE_ROWS, capacity), in the order of the entries. The entry's and the exit's rows are those
# that decided them (the exit's is -1 for a stop or target); reason 0 is still open; T_CLOSED numbers the
# exits in their order; the last two are its protection when it was opened.
(T_SYMBOL, T_AMOUNT, T_ENTRY_ROW, T_ENTRY_MS, T_ENTRY_PRICE, T_ENTRY_FEE, T_EXIT_ROW, T_EXIT_MS,
 T_EXIT_PRICE, T_EXIT_FEE, T_REASON, T_CLOSED, T_STOP, T_TARGET) = range(14)  # fmt: skip
TRADE_ROWS = 14

# What is kept of each close, (CURVE_ROWS, rows): in quote units, and 1 where a position was open.
C_EQUITY, C_CASH, C_HELD = range(3)
CURVE_ROWS = 3


class AccountRules(NamedTuple):
    """The account's rules in the units of trading.rules; `most_money` is the most cash that is exact."""

    capital: int
    most_money: int
    timeframe_ms: int
    fee_percent: int
    slippage_percent: int
    position_size_percent: int
    stop_loss_percent: int
    trailing_stop_percent: int
    take_profit_percent: int
    daily_loss_limit_percent: int
    kill_switch_percent: int
    max_drawdown_percent: int
    max_exposure_percent: int
    max_open_positions: int
    max_orders_per_minute: int
    cooldown_candles: int
    warmup_candles: int


class Marks(NamedTuple):
    """What is known at the end: how it ended, how many trades (open ones too), the last equity, the deepest
    fall from a peak as a fraction, the longest time under one, and at how many closes anything was held."""

    ended: int
    trades: int
    equity: int
    fallen: float
    under_ms: int
    held: int
