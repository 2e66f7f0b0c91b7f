"""The windows of a walk-forward: where settings are chosen, and where they then trade."""

from msgspec import Struct

from backtest.trial import Study
from trading.date_range import select_range
from trading.errors import InputError


class Span(Struct, frozen=True):
    """Open times from `from_ms` (included) to `to_ms` (excluded)."""

    from_ms: int
    to_ms: int


class Window(Struct, frozen=True):
    """Settings are chosen in `in_sample`, and trade in `out_of_sample`, which follows it."""

    in_sample: Span
    out_of_sample: Span


def span_of(study: Study) -> Span:
    """The range of a study."""
    ends = [int(each.open_times_ms[-1]) + each.timeframe_ms for each in study.histories if len(each.candles)]
    return Span(study.first_open_ms, max(ends))


def windows_of(study: Study, count: int, anchored: bool) -> list[Window]:
    """The windows of a walk-forward over a study's range.

    The range is split into count + 1 equal parts. Window i chooses in part i (rolling) or in all
    parts up to i (anchored), and trades in part i + 1. Raises InputError when a part has fewer than two
    candles, or no real one.
    """
    if not count:
        return []
    whole, length_ms = span_of(study), study.histories[0].timeframe_ms
    candles = (whole.to_ms - whole.from_ms) // length_ms
    if candles < 2 * (count + 1):
        raise InputError(
            f"--walk-forward: {count} windows need {2 * (count + 1)} candles at least, two in each of their "
            f"{count + 1} parts; the range has {candles}"
        )
    edges = [whole.from_ms + length_ms * (part * candles // (count + 1)) for part in range(count + 2)]
    windows = [
        Window(
            Span(whole.from_ms if anchored else edges[part], edges[part + 1]),
            Span(edges[part + 1], edges[part + 2]),
        )
        for part in range(count)
    ]
    for window in windows:
        for span in (window.in_sample, window.out_of_sample):
            select_range(study.histories, span.from_ms, span.to_ms)
    return windows
