"""Where closed candles come from: every source answers for any open time, as often as it is asked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from actors.ports import CandleBatch
from trading.events import CandlesClosed

if TYPE_CHECKING:
    from trading.history import History


class CandleSource(Protocol):
    """Candles on one grid of open times, row by row; `length` is None when it never ends."""

    length: int | None

    def row_after(self, open_time_ms: int) -> int:
        """The first row after this open time."""
        ...

    def closed(self, first_row: int, last_row: int) -> Sequence[CandlesClosed]:
        """The open times of the rows first to last - 1."""
        ...


class ReplaySource:
    """Stored candles of one file a symbol."""

    def __init__(self, histories: "Sequence[History]") -> None:
        from trading.grid import CandleGrid

        self._grid = CandleGrid(histories)
        self.length: int | None = self._grid.height

    def row_after(self, open_time_ms: int) -> int:
        """The first row after this open time."""
        return self._grid.row(open_time_ms + 1)

    def closed(self, first_row: int, last_row: int) -> Sequence[CandlesClosed]:
        """The open times of these rows."""
        return self._grid.closed(first_row, last_row)


def batch_after(
    source: CandleSource, open_time_ms: int, limit: int, released_rows: int | None
) -> CandleBatch:
    """At most `limit` open times after this one, of those released so far (None: all)."""
    first = source.row_after(open_time_ms)
    ends = [first + limit]
    if released_rows is not None:
        ends.append(released_rows)
    if source.length is not None:
        ends.append(source.length)
    last = max(first, min(ends))
    ended = source.length is not None and last >= source.length
    return CandleBatch(tuple(source.closed(first, last)) if last > first else (), ended)
