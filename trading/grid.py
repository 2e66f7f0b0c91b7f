"""Several symbols' histories on one grid of open times (rulebook 1)."""

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np

from trading.candle_files import Times
from trading.candles import Candle, Holes
from trading.events import CandlesClosed
from trading.history import History
from trading.timeframe import iso

_COLUMNS = ("open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume", "filled")


class CandleGrid:
    """The open times at which any symbol has a candle, in order, and those candles.

    `times_ms` are the open times, `first_ms`, the anchor, is the first, `height` counts them.
    """

    def __init__(self, histories: Sequence[History]) -> None:
        self.histories = tuple(histories)
        self.timeframe_ms = histories[0].timeframe_ms
        self.times_ms = merged_times([history.open_times_ms for history in histories])
        self.first_ms = int(self.times_ms[0])
        self.height = len(self.times_ms)
        self._offsets = [
            self.row(int(history.open_times_ms[0])) if history.candles.height else 0 for history in histories
        ]
        self._lengths = [history.candles.height for history in histories]

    def open_time_ms(self, row: int) -> int:
        """The open time of a row."""
        return int(self.times_ms[row])

    def row(self, open_time_ms: int) -> int:
        """The first row at this open time or after it; the height when there is none."""
        return int(np.searchsorted(self.times_ms, open_time_ms))

    def offset(self, place: int) -> int:
        """The grid's row of the first candle of the symbol at this place."""
        return self._offsets[place]

    def closed(self, first_row: int, last_row: int) -> list[CandlesClosed]:
        """The candles of the rows first to last - 1, one event an open time."""
        columns = [self._column(place, first_row, last_row) for place in range(len(self.histories))]
        times_ms = self.times_ms[first_row:last_row].tolist()
        return [
            CandlesClosed(time_ms, tuple(candle for candle in together if candle is not None))
            for time_ms, together in zip(times_ms, zip(*columns, strict=True), strict=True)
        ]

    def holes_before(self, row: int, max_gap_candles: int) -> dict[str, Holes]:
        """Each symbol's holes as they stand just before this row."""
        holes = {}
        for place, history in enumerate(self.histories):
            seen = Holes()
            for filled in history.candles["filled"].head(max(0, row - self._offsets[place])):
                seen.see(filled, max_gap_candles)
            holes[history.market.symbol] = seen
        return holes

    def _column(self, place: int, first_row: int, last_row: int) -> list[Candle | None]:
        """One symbol's candles of these rows, None where it has none."""
        offset, length = self._offsets[place], self._lengths[place]
        start = min(max(first_row - offset, 0), length)
        stop = min(max(last_row - offset, 0), length)
        before = max(0, min(offset, last_row) - first_row)
        made = list(self._candles(place, start, stop))
        after = last_row - first_row - before - len(made)
        return [*repeat(None, before), *made, *repeat(None, after)]

    def _candles(self, place: int, start: int, stop: int) -> Iterator[Candle]:
        history = self.histories[place]
        rows = history.candles.slice(start, stop - start).select(_COLUMNS)
        return map(Candle, repeat(history.market.symbol), *(rows[name].to_list() for name in _COLUMNS))

    def __repr__(self) -> str:
        return f"CandleGrid({self.height} open times from {iso(self.first_ms)})"


def merged_times(columns: Sequence[Times]) -> Times:
    """The open times of several columns that are sorted themselves, sorted, each once."""
    if len(columns) == 1:
        return columns[0]
    # A stable sort of a few ascending runs is ten times as fast as numpy's unique.
    times_ms = np.sort(np.concatenate(columns), kind="stable")
    distinct: Times = times_ms[np.append(True, times_ms[1:] > times_ms[:-1])]
    return distinct
