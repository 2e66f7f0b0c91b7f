"""Histories as the arrays of the compiled account: made once, then only read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from backtest.fast.arrays import ABSENT, CLOSE, FILLED, HIGH, LOW, OPEN, REAL, Bytes, Ints
from backtest.fast.compiled import compiled
from trading.detail import Detail
from trading.grid import CandleGrid
from trading.history import History
from trading.timeframe import DAY_MS

Number = TypeVar("Number", bound="np.generic")

_COLUMNS = {OPEN: "open_ticks", HIGH: "high_ticks", LOW: "low_ticks", CLOSE: "close_ticks"}


@dataclass(frozen=True)
class CandleArrays:
    """All symbols' candles on one grid, laid out as `backtest.fast.account.trade` wants them.

    `offsets` and `lengths` say at which row each symbol's own candles begin and how many they are;
    trading begins at `first_open_ms`. Pickled arrays stay whole, so that many workers can share them.
    """

    timeframe_ms: int
    first_open_ms: int
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    times_ms: Ints
    prices: Ints
    kind: Bytes
    detail: Ints
    detail_ms: Ints
    starts: Ints

    @cached_property
    def first_row(self) -> int:
        """The row at which trading begins."""
        return int(np.searchsorted(self.times_ms, self.first_open_ms))

    @cached_property
    def roll_rows(self) -> Ints:
        """The rows in range at whose closes a day ends."""
        closes_ms = self.times_ms[self.first_row :] + self.timeframe_ms
        days = np.append(self.first_open_ms, closes_ms) // DAY_MS
        return frozen(self.first_row + np.flatnonzero(days[1:] > days[:-1]))

    @cached_property
    def day_rows(self) -> Ints:
        """The last row in range of each UTC day."""
        days = self.times_ms[self.first_row :] // DAY_MS
        return frozen(self.first_row + np.flatnonzero(np.append(days[1:] != days[:-1], True)))

    @property
    def rows(self) -> int:
        """How many open times there are."""
        return len(self.times_ms)

    @property
    def symbols(self) -> int:
        """How many symbols there are."""
        return len(self.offsets)

    @property
    def moments(self) -> Ints:
        """What can be traded in, (n, 4): the candles themselves, or those of the finer timeframe."""
        return self.detail if self.starts.shape[1] else self.prices.reshape(-1, 4)

    @cached_property
    def moment_ms(self) -> Ints:
        """The open time of each moment."""
        if self.starts.shape[1]:
            return self.detail_ms
        return self.times_ms if self.symbols == 1 else frozen(np.repeat(self.times_ms, self.symbols))

    @cached_property
    def highest_tick(self) -> int:
        """The highest price there is."""
        return max(int(self.prices.max(initial=0)), int(self.detail.max(initial=0)))

    @cached_property
    def close_sums(self) -> tuple[Ints, ...]:
        """For each symbol the sums of its first n closes less its lowest close, from 0 closes on."""
        sums: list[Ints] = []
        for offset, length in zip(self.offsets, self.lengths, strict=True):
            closes: Ints = self.prices[offset : offset + length, len(sums), CLOSE]
            sums.append(frozen(np.concatenate(([0], np.cumsum(closes - closes.min(initial=2**62))))))
        return tuple(sums)

    @cached_property
    def held_prices(self) -> dict[int, tuple[int, int]]:
        """By symbol, those with candles in range: first open and last close, in ticks."""
        found = {}
        for s in range(self.symbols):
            first, last = self.own_rows(s)
            if first < last:
                found[s] = (int(self.prices[first, s, OPEN]), int(self.prices[last - 1, s, CLOSE]))
        # In the order in which the symbols appear.
        return dict(sorted(found.items(), key=lambda item: self.own_rows(item[0])[0]))

    @cached_property
    def candles_filled(self) -> int:
        """How many candles in range were made for holes, over all symbols."""
        return int(np.count_nonzero(self.kind[self.first_row :] == FILLED))

    def own_rows(self, s: int) -> tuple[int, int]:
        """The rows in range at which a symbol has candles: the first, and the one after the last."""
        first = max(self.first_row, self.offsets[s])
        return first, max(first, self.offsets[s] + self.lengths[s])

    def within(self, first_open_ms: int, last_open_ms: int) -> "CandleArrays":
        """The same candles up to an open time, traded in from another on; nothing is copied."""
        rows = int(np.searchsorted(self.times_ms, last_open_ms, side="right"))
        pairs = zip(self.offsets, self.lengths, strict=True)
        lengths = tuple(max(0, min(length, rows - offset)) for offset, length in pairs)
        offsets = tuple(offset if length else 0 for offset, length in zip(self.offsets, lengths, strict=True))
        return replace(
            self,
            first_open_ms=first_open_ms,
            offsets=offsets,
            lengths=lengths,
            times_ms=self.times_ms[:rows],
            prices=self.prices[:rows],
            kind=self.kind[:rows],
            starts=self.starts[:, : rows + 1],
        )

    def since_hole(self, max_gap_candles: int) -> NDArray[np.int32]:
        """(rows, symbols): the real candles closed since a hole longer than this, -1 where none matters;
        no rows when no hole is that long."""
        found = self._since_hole.get(max_gap_candles)
        if found is None:
            found = np.full(self.kind.shape, -1, np.int32)
            if not count_since_hole(self.kind, max_gap_candles, found):
                found = np.zeros((0, 0), np.int32)
            self._since_hole[max_gap_candles] = frozen(found)
        return found

    @cached_property
    def _since_hole(self) -> dict[int, NDArray[np.int32]]:
        return {}


def candle_arrays(
    histories: Sequence[History], first_open_ms: int, details: Sequence[Detail | None] = ()
) -> CandleArrays:
    """The arrays of histories in the order of the settings; trading begins at `first_open_ms`."""
    grid = CandleGrid(histories)
    offsets = tuple(grid.offset(place) for place in range(len(histories)))
    lengths = tuple(history.candles.height for history in histories)
    times_ms = grid.times_ms
    prices = np.zeros((grid.height, len(histories), 4), np.int64)
    kind = np.full((grid.height, len(histories)), ABSENT, np.int8)
    for s, history in enumerate(histories):
        rows = slice(offsets[s], offsets[s] + lengths[s])
        for column, name in _COLUMNS.items():
            prices[rows, s, column] = history.candles[name].to_numpy()
        kind[rows, s] = np.where(history.candles["filled"].to_numpy(), FILLED, REAL)
        if lengths[s]:
            prices[rows.stop :, s, CLOSE] = prices[rows.stop - 1, s, CLOSE]
    detail, detail_ms, starts = _detail(times_ms, prices, kind, details)
    return CandleArrays(
        timeframe_ms=grid.timeframe_ms,
        first_open_ms=first_open_ms,
        offsets=offsets,
        lengths=lengths,
        times_ms=frozen(times_ms),
        prices=frozen(prices),
        kind=frozen(kind),
        detail=frozen(detail),
        detail_ms=frozen(detail_ms),
        starts=frozen(starts),
    )


def frozen(array: NDArray[Number]) -> NDArray[Number]:
    """The array, read-only: as another process sees a shared one, so that one compiled form serves both."""
    array.setflags(write=False)
    return array


def _detail(
    times_ms: Ints, prices: Ints, kind: Bytes, details: Sequence[Detail | None]
) -> tuple[Ints, Ints, Ints]:
    """Every symbol's moments one after another, and where each row's begin; lows and highs of `prices`
    are set to span them."""
    symbols = kind.shape[1]
    if not any(detail is not None for detail in details):
        return np.zeros((0, 4), np.int64), np.zeros(0, np.int64), np.zeros((symbols, 0), np.int64)
    ticks, opens_ms, starts, total = [], [], [], 0
    for s, detail in enumerate(details):
        own = _Moments(times_ms, prices[:, s], kind[:, s], detail)
        ticks.append(own.prices)
        opens_ms.append(own.times_ms)
        starts.append(total + own.starts)
        total += len(own.times_ms)
        own.span(prices[:, s])
    return np.concatenate(ticks), np.concatenate(opens_ms), np.stack(starts)


class _Moments:
    """One symbol's moments: its traded detail candles, and where there are none, its own candle."""

    def __init__(self, times_ms: Ints, prices: Ints, kind: Bytes, detail: Detail | None) -> None:
        real = np.flatnonzero(kind == REAL)
        rows, finer, finer_ms = real[:0], prices[:0], times_ms[:0]
        if detail is not None:
            traded = detail.traded_in(times_ms[real])
            rows, finer, finer_ms = real[traded.candles], traded.ticks, traded.times_ms
        alone = np.setdiff1d(real, rows)
        every = np.concatenate((rows, alone))
        order = np.argsort(every, kind="stable")
        self.rows = every[order]
        self.prices = np.concatenate((finer, prices[alone]))[order]
        self.times_ms = np.concatenate((finer_ms, times_ms[alone]))[order]
        self.starts = np.searchsorted(self.rows, np.arange(len(times_ms) + 1))

    def span(self, prices: Ints) -> None:
        """Set the lows and highs of the candles to those of their moments."""
        if not len(self.rows):
            return
        first = np.flatnonzero(np.append(True, self.rows[1:] != self.rows[:-1]))
        prices[self.rows[first], LOW] = np.minimum.reduceat(self.prices[:, LOW], first)
        prices[self.rows[first], HIGH] = np.maximum.reduceat(self.prices[:, HIGH], first)


@compiled
def count_since_hole(kind: Bytes, max_gap_candles: int, since: NDArray[np.int32]) -> bool:
    """Fill in `since`, as trading.candles.Holes counts; whether any hole is longer than allowed."""
    rows, symbols = kind.shape
    found = False
    for s in range(symbols):
        missing, count = 0, -1
        for row in range(rows):
            if kind[row, s] == FILLED:
                missing += 1
            elif kind[row, s] == REAL:
                if missing > max_gap_candles:
                    count = 0
                    found = True
                missing = 0
                if count >= 0:
                    count += 1
            since[row, s] = count
    return found
