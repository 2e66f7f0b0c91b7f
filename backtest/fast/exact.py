"""The core's exact integer rules (trading.costs, protection, switches), compiled for 64 bits.

A percentage p (millionths of a percent, WHOLE is all) of an amount a is taken as
(a // WHOLE) x p + (a % WHOLE) x p / WHOLE: no product on the way is larger than the result needs,
so what fits into 64 bits in the end is exact. Amounts are not negative.
"""

from backtest.fast.compiled import inlined
from trading.rules import WHOLE


@inlined
def part_down(amount: int, percent: int) -> int:
    """So many percent of an amount, rounded down."""
    return amount // WHOLE * percent + amount % WHOLE * percent // WHOLE


@inlined
def part_up(amount: int, percent: int) -> int:
    """So many percent of an amount, rounded up."""
    return amount // WHOLE * percent + (amount % WHOLE * percent + WHOLE - 1) // WHOLE


@inlined
def fee_of(notional: int, fee_percent: int, fee_step: int) -> int:
    """The fee of a notional, rounded up to the market's fee step."""
    return (part_up(notional, fee_percent) + fee_step - 1) // fee_step * fee_step


@inlined
def affordable(cash: int, lot_cost: int, fee_percent: int, fee_step: int) -> int:
    """The most lots whose cost plus fee is within the cash."""
    if cash <= 0:
        return 0
    with_fee = WHOLE + fee_percent
    lots = (cash // with_fee * WHOLE + cash % with_fee * WHOLE // with_fee) // lot_cost
    while lots and lots * lot_cost + fee_of(lots * lot_cost, fee_percent, fee_step) > cash:
        lots -= 1
    return lots


@inlined
def fallen_to(base: int, percent: int) -> int:
    """The equity at or under which so many percent of the base are lost."""
    return base - part_up(base, percent)
