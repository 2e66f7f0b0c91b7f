"""A Parquet file of downloaded candles that grows in any direction, and knows what it has asked for."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from cli.candle_reports import candle_table, write_candles
from cli.exchange_history import Rows
from trading.candle_checks import FAULT_NAMES, Checked, Fault, refuse_bad_rows, row_faults
from trading.candle_files import PRICES, RawCandles, metadata, read_candles
from trading.errors import InputError
from trading.timeframe import timeframe_name

SOURCE = "exchange"
# Open times in ms: the first included, the last excluded.
Span = tuple[int, int]


@dataclass
class CandleStore:
    """The candles of one symbol, timeframe and exchange, and the spans of time that were downloaded.

    The spans are sorted and do not touch; where they hold no candle, the exchange had none. Rows are
    those of `ExchangeHistory`.
    """

    file: Path
    exchange: str
    symbol: str
    timeframe_ms: int
    rows: Rows = field(default_factory=lambda: np.empty((0, 6)))
    spans: list[Span] = field(default_factory=list)
    added: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    _parts: list[Rows] = field(default_factory=list)
    _saved: bool = True

    def check(self) -> None:
        """Raise InputError when the file is there and holds something else."""
        own = self._about()
        if self.file.exists() and own.items() - metadata(self.file).items():
            raise InputError(
                f"{self.file}: exists, but not as a download of {self.symbol} "
                f"{timeframe_name(self.timeframe_ms)} from {self.exchange}; give another --out"
            )

    def load(self) -> None:
        """Go on with the file, if there is one; raises InputError as `check` does."""
        self.check()
        if not self.file.exists():
            return
        raw = read_candles(self.file)
        refuse_bad_rows(raw, Checked(self.timeframe_ms, row_faults(raw, self.timeframe_ms)))
        self.rows = np.column_stack([raw.times_ms, *(raw.prices[name] for name in PRICES), raw.volume])
        self.spans = [(start, stop) for start, stop in json.loads(metadata(self.file)["spans"])]

    def missing(self, span: Span) -> list[Span]:
        """What is to be asked for, so that the file reaches over this span without a break."""
        if span[0] >= span[1]:
            return []
        first = min(start for start, _ in [span, *self.spans])
        last = max(stop for _, stop in [span, *self.spans])
        edges = [first, *(edge for known in self.spans for edge in known), last]
        return [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]

    def add(self, page: Rows, span: Span) -> None:
        """Take in what the exchange gave for a span; bad rows (rulebook 1) are dropped and counted."""
        faults = row_faults(_raw(page), self.timeframe_ms) if page.size else np.empty(0)
        self.dropped.update(FAULT_NAMES[Fault(int(fault))] for fault in faults[faults != Fault.NONE])
        good = page[faults == Fault.NONE]
        self.added += len(good)
        self._parts.append(good)
        self._saved = False
        self.spans = merged([*self.spans, span])

    def save(self) -> None:
        """Write what is there, whole or not at all; no file without candles."""
        rows = np.concatenate([self.rows, *self._parts])
        self.rows, self._parts = rows[np.unique(rows[:, 0], return_index=True)[1]], []
        if self._saved or not len(self.rows):
            return
        # What follows the last candle is asked for again: it may only have been late.
        end = int(self.rows[-1, 0]) + self.timeframe_ms
        spans = [(start, min(stop, end)) for start, stop in self.spans if start < end]
        about = self._about() | {"spans": json.dumps(spans)}
        write_candles(_table(self.rows), self.file, about)
        self._saved = True

    def _about(self) -> dict[str, str]:
        return {
            "symbol": self.symbol,
            "source": SOURCE,
            "exchange": self.exchange,
            "timeframe": timeframe_name(self.timeframe_ms),
        }


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in as few spans as possible, sorted."""
    result: list[Span] = []
    for start, stop in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def _raw(rows: Rows) -> RawCandles:
    prices = {name: rows[:, column] for column, name in enumerate(PRICES, start=1)}
    return RawCandles(Path(), None, rows[:, 0].astype(np.int64), prices, rows[:, 5], pl.DataFrame())


def _table(rows: Rows) -> pl.DataFrame:
    raw = _raw(rows)
    return candle_table(raw.times_ms, raw.prices, raw.volume)
