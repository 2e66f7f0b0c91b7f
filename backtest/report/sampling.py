"""Fewer points that draw the same picture, and arrays as a page carries them."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.timeframe import DAY_MS

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Rows = NDArray[np.int64]

_MINUTE_MS = 60_000
_STEPS_MINUTES = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720)


def packed(values: Any) -> dict[str, str]:
    """Numbers as plotly's typed array: little-endian doubles in base64. NaN leaves a gap."""
    doubles = np.ascontiguousarray(values, dtype="<f8")
    return {"dtype": "f8", "bdata": base64.b64encode(doubles.tobytes()).decode()}


def kept_rows(buckets: int, *series: Floats) -> Rows:
    """The rows that keep the shape of all series: first, last, and the extremes of each bucket.

    The series are equally long; at most 2 x buckets rows a series, plus two, come back in order.
    """
    length = len(series[0])
    if length <= 2 * buckets:
        return np.arange(length)
    starts = np.linspace(0, length, buckets, endpoint=False).astype(np.int64)
    ends = np.append(starts[1:], length)
    kept = [np.array([0, length - 1])]
    for values in series:
        for extreme in (np.argmin, np.argmax):
            found = (start + extreme(values[start:end]) for start, end in zip(starts, ends, strict=True))
            kept.append(np.fromiter(found, np.int64, buckets))
    return np.unique(np.concatenate(kept))


def drawn_step_ms(length: int, timeframe_ms: int, most: int) -> int:
    """The length of a drawn candle: the shortest round multiple of the timeframe with at most so many."""
    if length <= most:
        return timeframe_ms
    needed = timeframe_ms * -(-length // most)
    days = (count * DAY_MS for count in range(1, needed // DAY_MS + 2))
    steps = [*(minutes * _MINUTE_MS for minutes in _STEPS_MINUTES), *days]
    round_ones = (step for step in steps if step >= needed and step % timeframe_ms == 0)
    return next(round_ones, needed)


def resampled(times_ms: Times, prices: dict[str, Floats], step_ms: int) -> tuple[Times, dict[str, Floats]]:
    """Candles of a longer step on the grid of UTC: open, high, low and close of each group of rows."""
    groups = times_ms // step_ms
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    ends = np.append(starts[1:], len(times_ms)) - 1
    merged = {
        "open": prices["open"][starts],
        "high": np.maximum.reduceat(prices["high"], starts),
        "low": np.minimum.reduceat(prices["low"], starts),
        "close": prices["close"][ends],
    }
    return times_ms[starts], merged
