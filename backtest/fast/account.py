"""One account over all open times, compiled: rulebook 4 to 6, and the marks that rulebook 8 needs.

The rules of trading.engine in the same order, on arrays; what the vote says is given. Most open times
are quiet: no order waits, none is decided, no stop is touched. They run through one short loop.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtest.fast.arrays import (
    ABSENT,
    AMOUNT,
    APPROVED,
    BOOK_ROWS,
    BUY,
    C_CASH,
    C_EQUITY,
    C_HELD,
    CLOSE,
    DONE,
    ENTRY,
    EXIT_REASON,
    EXIT_ROW,
    HELD,
    HIGH,
    HIGHEST,
    LOW,
    OVERFLOW,
    SELL,
    SIGNAL,
    STOP_PRICE,
    TARGET,
    WORTH,
    AccountRules,
    Bytes,
    Ints,
    Marks,
)
from backtest.fast.book import buy_waiting, protect, raise_stops, sell_everything, sell_waiting
from backtest.fast.compiled import compiled, inlined
from backtest.fast.entry import blocked_by, judge
from backtest.fast.exact import fallen_to

MINUTE_MS = 60_000
# Over every price and every equity.
MOST = 2**62


class Curve(NamedTuple):
    """The equity curve so far: its peak, when that was made, the lowest equity since, the deepest fall as a
    fraction, the longest time under a peak, and at how many closes a position was held."""

    peak: int
    peak_ms: int
    trough: int
    fallen: float
    under_ms: int
    held: int


@inlined
def marked(curve: Curve, equity: int, close_ms: int, held: int) -> Curve:
    """The curve with the equity of one more close."""
    peak, peak_ms, trough, fallen, under_ms, rows = curve
    if equity < peak:
        if equity < trough:
            trough = equity
            fallen = max(fallen, (peak - equity) / peak)
    else:
        if trough < peak:
            under_ms = max(under_ms, close_ms - peak_ms)
        if equity > peak:
            peak, peak_ms = equity, close_ms
        trough = peak
    return Curve(peak, peak_ms, trough, fallen, under_ms, rows + held)


@compiled
def idle(outcomes: Bytes, row: int, until: int) -> int:
    """The first row from `row` on, at most `until`, at which an outcome is BUY."""
    symbols = outcomes.shape[0]
    while row < until:
        i = np.uint64(row)
        wanted = False
        for s in range(symbols):
            wanted |= outcomes[s, i] == BUY
        if wanted:
            break
        row += 1
    return row


@compiled
def holding_one(
    book: Ints, prices: Ints, times_ms: Ints, outcomes: Bytes, rules: AccountRules, row: int, until: int,
    cash: int, floor: int, curve: Curve,
) -> Any:  # fmt: skip
    """`holding` of a single symbol with nothing to keep: most of a sweep is spent in this loop."""
    worth, stop = book[WORTH, 0], book[STOP_PRICE, 0]
    target = book[TARGET, 0] if book[TARGET, 0] else MOST
    ceiling = curve.peak if rules.max_drawdown_percent else MOST
    highest = book[HIGHEST, 0] if rules.trailing_stop_percent else MOST
    lowest, start = curve.peak, row
    while row < until:
        i = np.uint64(row)
        close = prices[i, 0, CLOSE]
        equity = cash + close * worth
        touched = (prices[i, 0, LOW] <= stop) | (prices[i, 0, HIGH] >= target) | (close > highest)
        if touched | (outcomes[0, i] == SELL) | (equity <= floor) | (equity > ceiling):
            break
        lowest = min(lowest, equity)
        if equity >= curve.peak or equity < curve.trough:
            curve = marked(curve, equity, times_ms[i] + rules.timeframe_ms, 0)
        row += 1
    peak, peak_ms, trough, fallen, under_ms, held = curve
    return row, Curve(peak, peak_ms, trough, fallen, under_ms, held + row - start), lowest


@compiled
def holding(
    book: Ints, prices: Ints, times_ms: Ints, outcomes: Bytes, kept_curve: Ints, rules: AccountRules,
    row: int, until: int, cash: int, floor: int, curve: Curve,
) -> Any:  # fmt: skip
    """Mark the closes from `row` on at which positions are only held, at most up to `until`; returns the next
    row, the curve, and the lowest equity.

    It stops before a row where a stop or target is touched, where an outcome asks for an order, where a
    trailing stop rises, or where the equity is at or under `floor` or makes a peak that a limit follows.
    """
    symbols = book.shape[1]
    keep = kept_curve.shape[1] > 0
    follows_peak = rules.max_drawdown_percent > 0
    trailing = rules.trailing_stop_percent > 0
    count = 0
    for s in range(symbols):
        if book[AMOUNT, s]:
            book[HELD, count] = s
            count += 1
    lowest = curve.peak
    while row < until:
        i = np.uint64(row)
        equity = cash
        event = False
        for place in range(count):
            h = book[HELD, place]
            close = prices[i, h, CLOSE]
            equity += close * book[WORTH, h]
            event |= prices[i, h, LOW] <= book[STOP_PRICE, h]
            event |= 0 < book[TARGET, h] <= prices[i, h, HIGH]
            event |= trailing and close > book[HIGHEST, h]
        for s in range(symbols):
            event |= outcomes[s, i] == (SELL if book[AMOUNT, s] else BUY)
        if event or equity <= floor or (follows_peak and equity > curve.peak):
            break
        lowest = min(lowest, equity)
        curve = marked(curve, equity, times_ms[i] + rules.timeframe_ms, 1)
        if keep:
            kept_curve[C_EQUITY, i] = equity
            kept_curve[C_CASH, i] = cash
            kept_curve[C_HELD, i] = 1
        row += 1
    return row, curve, lowest


@compiled
def trade(
    times_ms: Ints, prices: Ints, kind: Bytes, since_hole: NDArray[np.int32], roll_rows: Ints, day_rows: Ints,
    moments: Ints, moment_ms: Ints, starts: Ints, markets: Ints, rules: AccountRules, outcomes: Bytes,
    first_row: int, trades: Ints, daily: Ints, kept_curve: Ints, verdicts: Bytes,
) -> Any:  # fmt: skip
    """Run one account from `first_row` on and return its marks.

    `prices` is (rows, symbols, 4), a close goes on after a symbol's last candle; `kind` (rows, symbols);
    `since_hole` (rows, symbols) counts the real candles closed since a long hole, -1 where none matters
    (no rows: there is none); `roll_rows` are the rows whose closes end a day, `day_rows` the last rows of
    the UTC days, both from `first_row` on; `outcomes` (symbols, rows). Written are `trades`, the equity of
    `day_rows` into `daily`, and, unless they have no columns, `kept_curve` and `verdicts` (symbols, rows).
    """
    rows, symbols = kind.shape
    keep = kept_curve.shape[1] > 0
    book = np.zeros((BOOK_ROWS, symbols), np.int64)
    sent_ms = np.full(max(1, min(rules.max_orders_per_minute, 61 * symbols)), -MINUTE_MS, np.int64)
    cash = equity = rules.capital
    curve = Curve(cash, times_ms[first_row], cash, 0.0, 0, 0)
    kill_at = fallen_to(cash, rules.kill_switch_percent)
    block_at = fallen_to(cash, rules.daily_loss_limit_percent)
    blocked = killed = waiting = False
    sent = made = closed = next_roll = next_day = 0
    row = first_row
    while row < rows:
        if not waiting:
            # The last row of all ends a UTC day, and is never passed over.
            until = day_rows[next_day]
            if next_roll < len(roll_rows):
                until = min(until, roll_rows[next_roll])
            if made == closed:
                start, row = row, idle(outcomes, row, until)
                if keep:
                    kept_curve[C_EQUITY, start:row] = cash
                    kept_curve[C_CASH, start:row] = cash
            else:
                floor = -1 if killed else kill_at
                if rules.max_drawdown_percent and not killed:
                    floor = max(kill_at, fallen_to(curve.peak, rules.max_drawdown_percent))
                if keep or symbols > 1:
                    row, curve, lowest = holding(
                        book, prices, times_ms, outcomes, kept_curve, rules, row, until, cash, floor, curve
                    )
                else:
                    row, curve, lowest = holding_one(
                        book, prices, times_ms, outcomes, rules, row, until, cash, floor, curve
                    )
                blocked |= lowest <= block_at

        # Step 1 at the open: waiting sells, then waiting buys. Step 2 inside: stops and targets.
        open_ms = times_ms[row]
        if waiting:
            cash, closed = sell_waiting(
                book, markets, trades, rules, moments, moment_ms, starts, kind, row, cash, closed
            )
            ended, cash, made = buy_waiting(
                book, markets, trades, rules, moments, moment_ms, starts, kind, row, cash, made
            )
            if ended != DONE:
                return Marks(ended, made, equity, 0.0, 0, 0)
        if made > closed:
            cash, closed = protect(
                book, markets, trades, rules, moments, moment_ms, starts, kind, row, open_ms, cash, closed
            )

        # Step 3 at the close: mark, kill switch, day, day's loss, trailing stops.
        close_ms = open_ms + rules.timeframe_ms
        equity, held = cash, made > closed
        for s in range(symbols):
            equity += prices[row, s, CLOSE] * book[WORTH, s]
        if cash > rules.most_money:
            return Marks(OVERFLOW, made, equity, 0.0, 0, 0)
        if keep:
            kept_curve[C_EQUITY, row] = equity
            kept_curve[C_CASH, row] = cash
            kept_curve[C_HELD, row] = held
        curve = marked(curve, equity, close_ms, held)
        if not killed:
            killed = equity <= kill_at
            if rules.max_drawdown_percent:
                killed |= equity <= fallen_to(curve.peak, rules.max_drawdown_percent)
            if killed:
                sell_everything(book, row)
        if next_roll < len(roll_rows) and roll_rows[next_roll] == row:
            next_roll += 1
            block_at = fallen_to(equity, rules.daily_loss_limit_percent)
            blocked = False
        blocked |= equity <= block_at
        if day_rows[next_day] == row:
            daily[next_day] = equity
            next_day += 1
        if rules.trailing_stop_percent:
            raise_stops(book, prices, row, rules.trailing_stop_percent)

        # The outcomes become orders, in the order of the settings.
        reserved = 0
        waiting = False
        for s in range(symbols):
            if kind[row, s] != ABSENT:
                verdict = 0
                if book[AMOUNT, s]:
                    if outcomes[s, row] == SELL and book[EXIT_REASON, s] == 0:
                        book[EXIT_REASON, s] = SIGNAL
                        book[EXIT_ROW, s] = row
                        verdict = APPROVED
                elif outcomes[s, row] == BUY:
                    lots = cost = 0
                    verdict = blocked_by(
                        book, kind, since_hole, rules.warmup_candles, s, row, open_ms, killed, blocked
                    )
                    if verdict == 0:
                        too_many = rules.max_orders_per_minute == 0
                        too_many |= sent_ms[sent % len(sent_ms)] > close_ms - MINUTE_MS
                        verdict, lots, cost = judge(
                            book, markets, rules, prices, s, row, equity, cash - reserved, too_many
                        )
                    if verdict == APPROVED:
                        book[ENTRY, s] = lots
                        reserved += cost
                        sent_ms[sent % len(sent_ms)] = close_ms
                        sent += 1
                if keep:
                    verdicts[s, row] = verdict
            waiting |= book[ENTRY, s] + book[EXIT_REASON, s] > 0
        row += 1

    under_ms = curve.under_ms
    if curve.trough < curve.peak:
        under_ms = max(under_ms, times_ms[rows - 1] + rules.timeframe_ms - curve.peak_ms)
    return Marks(DONE, made, equity, curve.fallen, under_ms, curve.held)
