"""What makes a row of a candle file bad (rulebook 1), for all rows at once."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trading.candle_files import PRICES, UNREADABLE, RawCandles, Times
from trading.errors import CandleError, InputError
from trading.timeframe import grid_offset_ms, iso, timeframe_name

Mask = NDArray[np.bool_]


class Fault(IntEnum):
    """What is wrong with a row; the first that applies."""

    NONE = 0
    TIME = 1
    REPEATED = 2
    UNSORTED = 3
    OFF_GRID = 4
    PRICE = 5
    VOLUME = 6
    HIGH = 7
    LOW = 8


FAULT_NAMES = {
    Fault.TIME: "unreadable time",
    Fault.REPEATED: "repeated time",
    Fault.UNSORTED: "out of order",
    Fault.OFF_GRID: "off the grid",
    Fault.PRICE: "price not positive",
    Fault.VOLUME: "volume negative",
    Fault.HIGH: "high too low",
    Fault.LOW: "low too high",
}


@dataclass(frozen=True)
class Checked:
    """A file's timeframe and the fault of each of its rows."""

    timeframe_ms: int
    faults: NDArray[np.int8]

    def counts(self) -> dict[Fault, int]:
        """How many rows have each fault."""
        found = np.bincount(self.faults, minlength=len(Fault))
        return {fault: int(found[fault]) for fault in FAULT_NAMES if found[fault]}


def check_candles(raw: RawCandles) -> Checked:
    """The timeframe of a file and its bad rows.

    Raises CandleError when there is no timeframe: fewer than two open times, or a most common step
    that is not a whole number of seconds.
    """
    length = timeframe_of(raw)
    return Checked(length, row_faults(raw, length))


def row_faults(raw: RawCandles, timeframe_ms: int) -> NDArray[np.int8]:
    """The fault of each row, the timeframe being known."""
    masks = _masks(raw, timeframe_ms)
    faults = np.select(list(masks.values()), [int(fault) for fault in masks], default=int(Fault.NONE))
    return faults.astype(np.int8)


def _masks(raw: RawCandles, length_ms: int) -> dict[Fault, Mask]:
    times = raw.times_ms
    repeated, unsorted = _order_faults(times)
    prices = [raw.prices[name] for name in PRICES]
    opens, highs, lows, closes = prices
    good_prices = np.all([np.isfinite(each) & (each > 0) for each in prices], axis=0)
    good_volume = np.isfinite(raw.volume) & (raw.volume >= 0)
    return {
        Fault.TIME: times == UNREADABLE,
        Fault.REPEATED: repeated,
        Fault.UNSORTED: unsorted,
        Fault.OFF_GRID: (times - grid_offset_ms(length_ms)) % length_ms != 0,
        Fault.PRICE: ~good_prices,
        Fault.VOLUME: ~good_volume,
        Fault.HIGH: highs < np.maximum(opens, closes),
        Fault.LOW: lows > np.minimum(opens, closes),
    }


def _order_faults(times: Times) -> tuple[Mask, Mask]:
    """Which open times stood there before, and which are earlier than one before."""
    repeated = np.zeros(len(times), dtype=np.bool_)
    unsorted = np.zeros(len(times), dtype=np.bool_)
    if np.any(times[1:] <= times[:-1]):
        order = np.argsort(times, kind="stable")
        ordered = times[order]
        repeated[order[1:]] = ordered[1:] == ordered[:-1]
        unsorted[1:] = times[1:] < np.maximum.accumulate(times)[:-1]
    return repeated, unsorted


def timeframe_of(raw: RawCandles) -> int:
    """The most common step between a file's open times, in ms; of equally common ones the shortest."""
    times = raw.times_ms[raw.times_ms != UNREADABLE]
    steps = np.diff(times)
    if np.any(steps <= 0):
        steps = np.diff(np.sort(times))
        steps = steps[steps > 0]
    if not steps.size:
        raise CandleError(f"{raw.path}: has {_how_many(len(times))}; a timeframe needs two")
    steps, counts = np.unique(steps, return_counts=True)
    length = int(steps[np.argmax(counts)])
    try:
        timeframe_name(length)
    except InputError as error:
        raise CandleError(f"{raw.path}: {error}") from None
    return length


def _how_many(readable: int) -> str:
    return "one open time" if readable else "no readable timestamp"


def refuse_bad_rows(raw: RawCandles, checked: Checked) -> None:
    """Raise CandleError for the first bad row: file, row, open time, and the rule that it breaks."""
    bad = np.flatnonzero(checked.faults)
    if not bad.size:
        return
    more = f" (and {bad.size - 1} more bad rows)" if bad.size > 1 else ""
    raise CandleError(f"{raw.path}: {row_fault(raw, checked, int(bad[0]))}{more}")


def row_fault(raw: RawCandles, checked: Checked, row: int) -> str:
    """What is wrong with a row, in words; rows are counted from 1, without a header."""
    values = dict(zip(raw.table.columns, raw.table.row(row), strict=True))
    time_ms = int(raw.times_ms[row])
    when = f" ({iso(time_ms)})" if _has_iso(time_ms) else ""
    return f"row {row + 1}{when}: {_rule(Fault(checked.faults[row]), values, checked.timeframe_ms)}"


def _has_iso(time_ms: int) -> bool:
    return 0 <= time_ms < _YEAR_9999_MS


_YEAR_9999_MS = 253_370_764_800_000


def _rule(fault: Fault, values: dict[str, object], length_ms: int) -> str:
    prices = ", ".join(f"{name} {values[name]}" for name in PRICES)
    rules = {
        Fault.TIME: f"timestamp {values['timestamp']!r} is not a time in whole milliseconds",
        Fault.REPEATED: "its open time was there before",
        Fault.UNSORTED: "its open time is before that of an earlier row; rows must be sorted",
        Fault.OFF_GRID: f"its open time is off the grid of the timeframe {timeframe_name(length_ms)}",
        Fault.PRICE: f"a price is not a positive number ({prices})",
        Fault.VOLUME: f"volume {values['volume']} is not a number of at least 0",
        Fault.HIGH: f"high {values['high']} is under open {values['open']} or close {values['close']}",
        Fault.LOW: f"low {values['low']} is over open {values['open']} or close {values['close']}",
    }
    return rules[fault]
