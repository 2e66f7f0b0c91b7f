"""Signals: what a strategy says about one candle (rulebook 3)."""

import math
from enum import StrEnum

from msgspec import Struct

MILLIONTHS = 1_000_000
FULL_CONFIDENCE = 100 * MILLIONTHS


class Side(StrEnum):
    """What a strategy wants, what a vote ends with, and the direction of an order."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Signal(Struct, frozen=True, array_like=True):
    """One strategy's word on one symbol at the close of one candle.

    `confidence` counts millionths of a percent, 0 to 100,000,000; 0 means no opinion: answered,
    but no vote. A strategy makes it with `buy`, `sell` or `hold`; who said it and of which candle
    is stamped on afterwards.
    """

    side: Side
    confidence: int
    reasons: tuple[str, ...] = ()
    strategy: str = ""
    symbol: str = ""
    open_time_ms: int = 0


def confidence_millionths(percent: float) -> int:
    """A confidence in millionths of a percent, half to even.

    Raises ValueError when it is not finite or outside 0 to 100: the strategy's error, not a vote.
    """
    if not math.isfinite(percent) or not 0 <= percent <= 100:
        raise ValueError(f"confidence {percent} is not within 0 to 100")
    return round(percent * MILLIONTHS)


def buy(confidence: float, *reasons: str) -> Signal:
    """A BUY with a confidence from 0 to 100 and its reasons in words."""
    return Signal(Side.BUY, confidence_millionths(confidence), reasons)


def sell(confidence: float, *reasons: str) -> Signal:
    """A SELL with a confidence from 0 to 100 and its reasons in words."""
    return Signal(Side.SELL, confidence_millionths(confidence), reasons)


def hold(confidence: float = 0.0, *reasons: str) -> Signal:
    """A HOLD; without a confidence it is no opinion."""
    return Signal(Side.HOLD, confidence_millionths(confidence), reasons)
