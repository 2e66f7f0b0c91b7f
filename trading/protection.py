"""Stop, trailing stop and target prices (rulebook 5, step 2), in ticks; 0 is none."""

from trading.rules import WHOLE


def stop_under(notional: int, lots_worth: int, percent: int) -> int:
    """The price so far under notional / lots_worth, rounded down to the tick; 0 when it is off.

    The reference price is a fraction (an entry price is the weighted mean of its fills):
    `notional` in quote units over `lots_worth`, the worth of the amount at a price of one tick.
    """
    if not percent:
        return 0
    return notional * (WHOLE - percent) // (lots_worth * WHOLE)


def target_over(notional: int, lots_worth: int, percent: int) -> int:
    """The price so far over notional / lots_worth, rounded up to the tick; 0 when it is off."""
    if not percent:
        return 0
    return -(-notional * (WHOLE + percent) // (lots_worth * WHOLE))
