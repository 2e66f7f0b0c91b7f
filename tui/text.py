"""Text for the screen: money, amounts, times, bars. Absent values are "-"; times are UTC."""

import unicodedata
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from google.protobuf.timestamp_pb2 import Timestamp

NONE = "-"
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
EIGHTHS = " ▏▎▍▌▋▊▉"


def visible(text: str) -> str:
    """Text from outside in one line.

    What would steer the terminal or turn the writing is shown by its number.
    """
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t":
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        code = ord(character)
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return character


def decimal(value: str) -> Decimal | None:
    """An exact number of the wire; None when it is absent or not a finite number."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def number(value: str, places: int | None = None, *, sign: bool = False) -> str:
    """A decimal with grouped thousands; with `places`, rounded to so many; without, as many as it needs."""
    found = decimal(value)
    if found is None:
        return NONE
    if places is None:
        found = found.normalize() if found else Decimal(0)
        return f"{found:{'+' if sign else ''},f}"
    return f"{found:{'+' if sign else ''},.{places}f}"


def rounded(value: str, places: int = 2) -> str:
    """A decimal with at most so many places."""
    found = decimal(value)
    return NONE if found is None else number(str(round(found, places)))


def price(value: str) -> str:
    """A price with at least the two places that people expect."""
    found = decimal(value)
    if found is None:
        return NONE
    exponent = found.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{found:,.{places}f}"


def signed(value: str, places: int = 2) -> str:
    """A gain or a loss: always with its sign."""
    return number(value, places, sign=True)


def length_seconds(timeframe: str) -> int:
    """How long a candle of "1h" is; 0 for a timeframe that is not known."""
    count, unit = timeframe[:-1], timeframe[-1:]
    return int(count) * UNIT_SECONDS[unit] if count.isdecimal() and unit in UNIT_SECONDS else 0


def moment(time: Timestamp) -> str:
    """A time to the minute, UTC; "-" when it is not set."""
    return _format(time, "%Y-%m-%d %H:%M")


def second(time: Timestamp) -> str:
    """A time to the second, UTC; "-" when it is not set."""
    return _format(time, "%Y-%m-%d %H:%M:%S")


def clock(seconds: float) -> str:
    """The time of day of a number of seconds since 1970, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def _format(time: Timestamp, form: str) -> str:
    if not time.seconds and not time.nanos:
        return NONE
    try:
        return datetime.fromtimestamp(time.seconds, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return NONE


def span(seconds: float) -> str:
    """A length of time in its two largest units: "3 d 4 h"."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def bar(share: float, width: int) -> str:
    """A bar that is filled for a share of 0 to 1; what is left is dotted, so that it reads without colour."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    partial = EIGHTHS[rest] if rest else ""
    return "█" * full + partial + "░" * (width - full - len(partial))


def readable(name: str) -> str:
    """A name of the wire in words: max_open_positions, "max open positions"."""
    return visible(name).replace("_", " ")
