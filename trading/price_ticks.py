"""Prices as whole ticks, exactly: rounded from their shortest decimal text, ties to even (rulebook 2).

Floats do the bulk; a price too near a tie, or too large, for a float to decide goes through Decimal.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
from numpy.typing import NDArray

from trading.errors import CandleError

Floats = NDArray[np.float64]
Ticks = NDArray[np.int64]

MOST_DECIMALS = 8
LARGEST_TICKS = 2**62
# Up to here a float counts units of a decimal exactly and its rounding cannot jump over one.
_EXACT_UNITS = 2.0**51
_WHOLE_FLOAT = 2**53
# More digits than a float's text over any tick needs: a tie is seen as one.
_CONTEXT = Context(prec=100)


def finest_tick(prices: Floats) -> Decimal:
    """The finest decimal of the prices' shortest texts, at most 8: 0.01 for prices in cents."""
    left = prices
    for decimals in range(MOST_DECIMALS):
        left = left[~_fits(left, decimals)]
        if not left.size:
            return Decimal(1).scaleb(-decimals)
    return Decimal(1).scaleb(-MOST_DECIMALS)


def _fits(prices: Floats, decimals: int) -> NDArray[np.bool_]:
    """Which prices have at most so many decimals: dividing whole units gives them back exactly."""
    scale = 10.0**decimals
    units = np.rint(prices * scale)
    fits = units / scale == prices
    for index in np.flatnonzero(units >= _EXACT_UNITS):
        exponent = Decimal(repr(float(prices[index]))).normalize().as_tuple().exponent
        fits[index] = isinstance(exponent, int) and -exponent <= decimals
    return np.asarray(fits)


def to_ticks(prices: Floats, tick: Decimal) -> Ticks:
    """Prices in ticks, half to even. Raises CandleError when a price has more than 2^62 ticks.

    Two float operations put a quotient off by at most 3 parts in 2^53; only where a tie is nearer
    than that does the text of the price decide.
    """
    numerator, decimals = _fraction(tick)
    if prices.size and Decimal(float(prices.max())) / tick > LARGEST_TICKS:
        raise CandleError(f"the price {float(prices.max())!r} is too large for a tick of {tick:f}")
    quotient = prices * 10.0**decimals / numerator
    ticks = np.rint(quotient)
    to_tie = np.abs(np.abs(quotient - ticks) - 0.5)
    doubtful = to_tie <= quotient * 2.0**-50
    result = ticks.astype(np.int64)
    if doubtful.any():
        unique, places = np.unique(prices[doubtful], return_inverse=True)
        result[doubtful] = np.array([exact_ticks(float(each), tick) for each in unique])[places]
    return result


def exact_ticks(price: float, tick: Decimal) -> int:
    """One price in ticks, half to even, from its shortest decimal text."""
    quotient = _CONTEXT.divide(Decimal(repr(price)), tick)
    return int(quotient.to_integral_value(ROUND_HALF_EVEN))


def to_prices(ticks: Ticks, tick: Decimal) -> Floats:
    """The floats nearest to ticks x tick."""
    numerator, decimals = _fraction(tick)
    largest = int(ticks.max(initial=0)) * numerator
    if largest < _WHOLE_FLOAT:
        return np.asarray((ticks * numerator).astype(np.float64) / 10.0**decimals)
    return np.array([float(tick * int(each)) for each in ticks], dtype=np.float64)


def _fraction(tick: Decimal) -> tuple[int, int]:
    """A tick as numerator / 10^decimals: 0.25 is 25 and 2."""
    exponent = tick.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = max(0, -exponent)
    return int(tick.scaleb(decimals)), decimals
