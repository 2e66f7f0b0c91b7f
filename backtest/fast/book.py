"""The compiled ledger and venue: what fills at the open and inside a candle (rulebook 5, steps 1 and 2).

`moments` are the prices (n, 4) of what can be traded in: the candles themselves, row after row, or, where
`starts` (symbols, rows + 1) has any, candles of a finer timeframe that open at `moment_ms`.
"""

from typing import Any

from backtest.fast.arrays import (
    AMOUNT,
    CLOSE,
    COOLDOWN_MS,
    DONE,
    ENTRY,
    EXIT_REASON,
    EXIT_ROW,
    FEE_STEP,
    HIGH,
    HIGHEST,
    KILL_SWITCH,
    LOW,
    MINIMUM,
    MORE_TRADES,
    MOST_WORTH,
    OPEN,
    OVERFLOW,
    REAL,
    STOP,
    STOP_PRICE,
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
    TARGET,
    TICK_LOT,
    TRADE,
    WORTH,
    AccountRules,
    Bytes,
    Ints,
)
from backtest.fast.compiled import inlined
from backtest.fast.exact import affordable, fee_of, part_down, part_up
from trading.rules import WHOLE


@inlined
def moments_at(starts: Ints, symbols: int, s: int, row: int) -> Any:
    """The first moment of a symbol's candle, and the one after its last."""
    if starts.shape[1]:
        return starts[s, row], starts[s, row + 1]
    return row * symbols + s, row * symbols + s + 1


@inlined
def sell(
    book: Ints, markets: Ints, trades: Ints, fee_percent: int, s: int, price: int, time_ms: int, reason: int,
    exit_row: int, closed: int,
) -> int:  # fmt: skip
    """Book the sale of a whole position; returns the cash that it brings."""
    notional = price * book[WORTH, s]
    charged = fee_of(notional, fee_percent, markets[FEE_STEP, s])
    t = book[TRADE, s]
    trades[T_EXIT_ROW, t] = exit_row
    trades[T_EXIT_MS, t] = time_ms
    trades[T_EXIT_PRICE, t] = price
    trades[T_EXIT_FEE, t] = charged
    trades[T_REASON, t] = reason
    trades[T_CLOSED, t] = closed
    book[AMOUNT, s] = 0
    book[WORTH, s] = 0
    book[EXIT_REASON, s] = 0
    brings: int = notional - charged
    return brings


@inlined
def sell_waiting(
    book: Ints, markets: Ints, trades: Ints, rules: AccountRules, moments: Ints, moment_ms: Ints,
    starts: Ints, kind: Bytes, row: int, cash: int, closed: int,
) -> Any:  # fmt: skip
    """Fill the waiting sells at the open; returns the cash and how many trades are closed."""
    symbols = book.shape[1]
    for s in range(symbols):
        if book[EXIT_REASON, s] and kind[row, s] == REAL:
            first, _ = moments_at(starts, symbols, s, row)
            price = part_down(moments[first, OPEN], WHOLE - rules.slippage_percent)
            cash += sell(
                book, markets, trades, rules.fee_percent, s, price, moment_ms[first], book[EXIT_REASON, s],
                book[EXIT_ROW, s], closed,
            )  # fmt: skip
            closed += 1
    return cash, closed


@inlined
def buy_waiting(
    book: Ints, markets: Ints, trades: Ints, rules: AccountRules, moments: Ints, moment_ms: Ints,
    starts: Ints, kind: Bytes, row: int, cash: int, made: int,
) -> Any:  # fmt: skip
    """Fill the waiting buys at the open, cut to the cash; returns how it ended, the cash, the trades made."""
    symbols = book.shape[1]
    for s in range(symbols):
        lots = book[ENTRY, s]
        book[ENTRY, s] = 0
        if lots == 0 or kind[row, s] != REAL:
            continue
        first, _ = moments_at(starts, symbols, s, row)
        price = part_up(moments[first, OPEN], WHOLE + rules.slippage_percent)
        lot_cost = price * markets[TICK_LOT, s]
        most = affordable(cash, lot_cost, rules.fee_percent, markets[FEE_STEP, s])
        if most < lots and (most == 0 or most * lot_cost < markets[MINIMUM, s]):
            continue
        lots = min(lots, most)
        if lots * markets[TICK_LOT, s] > markets[MOST_WORTH, s]:
            return OVERFLOW, cash, made
        if made == trades.shape[1]:
            return MORE_TRADES, cash, made
        charged = fee_of(lots * lot_cost, rules.fee_percent, markets[FEE_STEP, s])
        cash -= lots * lot_cost + charged
        book[AMOUNT, s] = lots
        book[WORTH, s] = lots * markets[TICK_LOT, s]
        book[TRADE, s] = made
        book[HIGHEST, s] = 0
        book[STOP_PRICE, s] = 0
        book[TARGET, s] = 0
        if rules.stop_loss_percent:
            book[STOP_PRICE, s] = part_down(price, WHOLE - rules.stop_loss_percent)
        if rules.take_profit_percent:
            book[TARGET, s] = part_up(price, WHOLE + rules.take_profit_percent)
        trades[T_SYMBOL, made] = s
        trades[T_AMOUNT, made] = lots
        trades[T_ENTRY_ROW, made] = row - 1
        trades[T_ENTRY_MS, made] = moment_ms[first]
        trades[T_ENTRY_PRICE, made] = price
        trades[T_ENTRY_FEE, made] = charged
        trades[T_REASON, made] = 0
        trades[T_STOP, made] = book[STOP_PRICE, s]
        trades[T_TARGET, made] = book[TARGET, s]
        made += 1
    return DONE, cash, made


@inlined
def protect(
    book: Ints, markets: Ints, trades: Ints, rules: AccountRules, moments: Ints, moment_ms: Ints,
    starts: Ints, kind: Bytes, row: int, open_ms: int, cash: int, closed: int,
) -> Any:  # fmt: skip
    """Let stops and targets fire inside the candle; returns the cash and how many trades are closed."""
    symbols = book.shape[1]
    for s in range(symbols):
        if book[AMOUNT, s] == 0 or book[EXIT_REASON, s] or kind[row, s] != REAL:
            continue
        stop, target = book[STOP_PRICE, s], book[TARGET, s]
        first, last = moments_at(starts, symbols, s, row)
        for m in range(first, last):
            if moments[m, LOW] <= stop:
                price = part_down(min(moments[m, OPEN], stop), WHOLE - rules.slippage_percent)
                reason = STOP
                book[COOLDOWN_MS, s] = open_ms + rules.cooldown_candles * rules.timeframe_ms
            elif 0 < target <= moments[m, HIGH]:
                price, reason = max(moments[m, OPEN], target), TAKE_PROFIT
            else:
                continue
            cash += sell(book, markets, trades, rules.fee_percent, s, price, moment_ms[m], reason, -1, closed)
            closed += 1
            break
    return cash, closed


@inlined
def sell_everything(book: Ints, row: int) -> None:
    """The kill switch: every position gets a waiting exit, or the one that it has a higher reason."""
    for s in range(book.shape[1]):
        if book[AMOUNT, s]:
            if book[EXIT_REASON, s] == 0:
                book[EXIT_ROW, s] = row
            book[EXIT_REASON, s] = KILL_SWITCH


@inlined
def raise_stops(book: Ints, prices: Ints, row: int, trailing_stop_percent: int) -> None:
    """Let the stops follow the highest closes since the entries."""
    for s in range(book.shape[1]):
        if book[AMOUNT, s] and prices[row, s, CLOSE] > book[HIGHEST, s]:
            book[HIGHEST, s] = prices[row, s, CLOSE]
            raised = part_down(book[HIGHEST, s], WHOLE - trailing_stop_percent)
            book[STOP_PRICE, s] = max(book[STOP_PRICE, s], raised)
