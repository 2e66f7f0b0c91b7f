"""Money for the oracle: exact fractions, rounding to steps, and fees (rulebook 2)."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import NamedTuple

FEE_UNIT = Fraction(1, 10**8)


class Rules(NamedTuple):
    """One market: price step, amount step, smallest notional."""

    tick: Fraction
    lot: Fraction
    min_notional: Fraction


def up(value: Fraction, step: Fraction) -> Fraction:
    """The smallest multiple of the step that is not under the value."""
    return math.ceil(value / step) * step


def down(value: Fraction, step: Fraction) -> Fraction:
    """The largest multiple of the step that is not over the value."""
    return math.floor(value / step) * step


def fee(notional: Fraction, percent: Fraction, rules: Rules) -> Fraction:
    """The percentage of the notional, rounded up to min(tick x lot, 0.00000001)."""
    return up(notional * percent / 100, min(rules.tick * rules.lot, FEE_UNIT))


def largest_count(limit: int, fits: Callable[[int], bool]) -> int:
    """The largest whole number from 0 to the limit that fits, where all under a fitting one fit."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def exact_decimal(value: Fraction) -> Decimal:
    """The same number as a Decimal; raises ArithmeticError when it has no finite decimal text."""
    with localcontext() as context:
        context.prec = 200
        result = Decimal(value.numerator) / Decimal(value.denominator)
    if Fraction(result) != value:
        raise ArithmeticError(f"{value} is not a finite decimal")
    return result.normalize()
