"""The compiled judgement of entries: how much to buy, and whether (rulebook 4), as trading.entries has it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtest.fast.arrays import (
    AMOUNT,
    APPROVED,
    CLOSE,
    COOLDOWN,
    COOLDOWN_MS,
    DAILY_LOSS,
    ENTRY,
    FEE_STEP,
    KILLED,
    MAX_EXPOSURE,
    MAX_OPEN_POSITIONS,
    MAX_ORDERS_PER_MINUTE,
    MIN_NOTIONAL,
    MINIMUM,
    REAL,
    STALE,
    TICK_LOT,
    WORTH,
    AccountRules,
    Bytes,
    Ints,
)
from backtest.fast.compiled import inlined
from backtest.fast.exact import affordable, fee_of, part_down, part_up
from trading.rules import WHOLE


@inlined
def blocked_by(
    book: Ints, kind: Bytes, since_hole: NDArray[np.int32], warmup_candles: int, s: int, row: int,
    open_ms: int, killed: bool, blocked: bool,
) -> int:  # fmt: skip
    """Why an entry is refused whatever its size; 0 when nothing blocks it."""
    verdict = 0
    if killed:
        verdict = KILLED
    elif blocked:
        verdict = DAILY_LOSS
    elif kind[row, s] != REAL or (since_hole.shape[1] and 0 <= since_hole[row, s] < warmup_candles):
        verdict = STALE
    elif open_ms < book[COOLDOWN_MS, s]:
        verdict = COOLDOWN
    return verdict


@inlined
def judge(
    book: Ints, markets: Ints, rules: AccountRules, prices: Ints, s: int, row: int, equity: int,
    free_cash: int, too_many: bool,
) -> Any:  # fmt: skip
    """The verdict on a BUY that nothing blocks, the lots that it buys, and what they reserve."""
    price = part_up(prices[row, s, CLOSE], WHOLE + rules.slippage_percent)
    lot_cost = price * markets[TICK_LOT, s]
    lots = min(
        part_down(equity, rules.position_size_percent) // lot_cost,
        affordable(free_cash, lot_cost, rules.fee_percent, markets[FEE_STEP, s]),
    )
    count, exposed = 0, prices[row, s, CLOSE] * markets[TICK_LOT, s] * lots
    for other in range(book.shape[1]):
        if book[AMOUNT, other] or book[ENTRY, other]:
            count += 1
            worth = book[WORTH, other] + book[ENTRY, other] * markets[TICK_LOT, other]
            exposed += prices[row, other, CLOSE] * worth
    if count >= rules.max_open_positions:
        return MAX_OPEN_POSITIONS, 0, 0
    if exposed > part_down(equity, rules.max_exposure_percent):
        return MAX_EXPOSURE, 0, 0
    if too_many:
        return MAX_ORDERS_PER_MINUTE, 0, 0
    lowest = price
    if rules.stop_loss_percent:
        lowest = part_down(price, WHOLE - rules.stop_loss_percent)
    if lots == 0 or lowest * markets[TICK_LOT, s] * lots < markets[MINIMUM, s]:
        return MIN_NOTIONAL, 0, 0
    notional = lots * lot_cost
    return APPROVED, lots, notional + fee_of(notional, rules.fee_percent, markets[FEE_STEP, s])
