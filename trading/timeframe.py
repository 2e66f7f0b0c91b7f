"""Timeframes and the grid of open times (rulebook 1). All times are integer milliseconds, UTC."""

import re
from datetime import UTC, datetime

from trading.errors import InputError

SECOND_MS = 1_000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
# 1970-01-01 was a Thursday; weekly candles open on Mondays.
FIRST_MONDAY_MS = 4 * DAY_MS

_UNITS_MS = {"s": SECOND_MS, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": WEEK_MS}


def timeframe_ms(name: str) -> int:
    """The length of a timeframe such as `1m`, `4h`, `1d`, in milliseconds.

    Raises InputError when the name is not a whole number followed by s, m, h, d or w.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})([smhdw])", name)
    if not match:
        raise InputError(
            f"timeframe: {name!r} is not a whole number with a unit s, m, h, d or w, such as '1h'"
        )
    return int(match[1]) * _UNITS_MS[match[2]]


def timeframe_name(length_ms: int) -> str:
    """The shortest name of a timeframe: 3,600,000 is `1h`. Raises InputError under one second."""
    for unit in "wdhms":
        if length_ms > 0 and length_ms % _UNITS_MS[unit] == 0:
            return f"{length_ms // _UNITS_MS[unit]}{unit}"
    raise InputError(f"timeframe: a step of {length_ms} ms is not a whole number of seconds")


def grid_offset_ms(length_ms: int) -> int:
    """Where the grid of a timeframe starts: the epoch, or a Monday for whole weeks."""
    return FIRST_MONDAY_MS if length_ms % WEEK_MS == 0 else 0


def on_grid(open_time_ms: int, length_ms: int) -> bool:
    """Whether a candle of this timeframe may open at this time."""
    return (open_time_ms - grid_offset_ms(length_ms)) % length_ms == 0


def first_open_from(time_ms: int, length_ms: int) -> int:
    """The first open time on a timeframe's grid that is not before this time, in ms."""
    offset = grid_offset_ms(length_ms)
    return -(-(time_ms - offset) // length_ms) * length_ms + offset


def midnight_after(time_ms: int) -> int:
    """The first 00:00 UTC later than this time."""
    return (time_ms // DAY_MS + 1) * DAY_MS


def iso(time_ms: int) -> str:
    """ISO 8601 in UTC, such as `2020-03-12T10:00:00Z`; milliseconds only where there are any."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    spec = "milliseconds" if time_ms % 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")
