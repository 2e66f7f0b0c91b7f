"""The part of the histories that a run covers: `--from` and `--to` (rulebook 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from trading.errors import InputError
from trading.history import History
from trading.timeframe import iso

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Selection:
    """Histories that end where the run ends; what opens before `first_open_ms` only warms up.

    `last_open_ms` is the open time of the last candle. `first_rows` has, for each history, the row of
    its first candle in range (its length when it has none there). A history may be empty.
    """

    histories: list[History]
    first_open_ms: int
    last_open_ms: int
    first_rows: list[int]


def parse_date(text: str, option: str) -> int:
    """An ISO 8601 date or time in ms; UTC where no offset is given.

    Raises InputError, naming the option, when it is not one.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: {text!r} is not a date such as 2021-01-01 or 2021-01-01T12:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def select_range(
    histories: Sequence[History], from_ms: int | None = None, to_ms: int | None = None
) -> Selection:
    """The histories cut for a run from `from_ms` (included) to `to_ms` (excluded), both open times.

    The grid ends, for all symbols, at the last real candle of any symbol before `to_ms`. Raises
    InputError, naming the range there is, when no candle is left.
    """
    last = _last_real(histories, to_ms)
    if last is None:
        raise InputError(_empty(histories, from_ms, to_ms))
    cut = [each.head(each.first_row_from(last + 1)) for each in histories]
    rows = [0 if from_ms is None else each.first_row_from(from_ms) for each in cut]
    inside = [(each, row) for each, row in zip(cut, rows, strict=True) if row < each.candles.height]
    if not inside:
        raise InputError(_empty(histories, from_ms, to_ms))
    first = min(int(each.open_times_ms[row]) for each, row in inside)
    return Selection(cut, first, last, rows)


def _last_real(histories: Sequence[History], to_ms: int | None) -> int | None:
    """The open time of the last real candle before a time, over all symbols."""
    found = []
    for history in histories:
        end = len(history.candles) if to_ms is None else history.first_row_from(to_ms)
        real = np.flatnonzero(~history.candles["filled"].head(end).to_numpy())
        if real.size:
            found.append(int(history.open_times_ms[real[-1]]))
    return max(found, default=None)


def _empty(histories: Sequence[History], from_ms: int | None, to_ms: int | None) -> str:
    first = min(int(each.open_times_ms[0]) for each in histories)
    last = max(int(each.open_times_ms[-1]) for each in histories)
    asked = [f"--from {iso(from_ms)}"] if from_ms is not None else []
    asked += [f"--to {iso(to_ms)}"] if to_ms is not None else []
    return f"{' '.join(asked)}: no candle opens in this range; the data has {iso(first)} to {iso(last)}"
