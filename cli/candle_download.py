"""`data download`: an exchange's candles into files, resumable, and what was found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from cli.candle_store import CandleStore, Span
from cli.exchange_history import ExchangeHistory, Series
from trading.date_range import parse_date
from trading.errors import InputError
from trading.timeframe import first_open_from, iso, timeframe_name

# A file is written anew at most this often, and in at most a twentieth of the time.
_SHORTEST_BETWEEN_SAVES_SECONDS = 2.0
_BETWEEN_SAVES_PER_SAVE = 20

# Told the symbol and timeframe, how many candles were done, and of how many.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class AskedRange:
    """Open times in ms, `from_ms` included and `to_ms` excluded, as the user gave them."""

    from_ms: int
    to_ms: int

    @classmethod
    def parse(cls, from_: str, to: str | None, now_ms: int) -> "AskedRange":
        """The range of --from and --to, to now without --to; raises InputError when it is empty."""
        from_ms = parse_date(from_, "--from")
        to_ms = now_ms if to is None else parse_date(to, "--to")
        if from_ms >= now_ms:
            raise InputError(f"--from: {iso(from_ms)} is in the future; it is {iso(now_ms)}")
        if from_ms >= to_ms:
            raise InputError(f"--from: {iso(from_ms)} is not before --to {iso(to_ms)}")
        return cls(from_ms, to_ms)

    def closed(self, timeframe_ms: int, now_ms: int) -> Span:
        """The open times of the candles in range that have closed by now; empty when first >= last."""
        first = first_open_from(max(0, self.from_ms), timeframe_ms)
        still_open = first_open_from(now_ms + 1, timeframe_ms) - timeframe_ms
        return first, min(first_open_from(self.to_ms, timeframe_ms), still_open)

    def __str__(self) -> str:
        return f"{iso(self.from_ms)} to {iso(self.to_ms)}"


@dataclass(frozen=True)
class Downloaded:
    """What a file holds after a download; `dropped` are the bad rows that came, by fault."""

    file: str
    symbol: str
    timeframe: str
    candles: int
    added: int
    first: str | None
    last: str | None
    missing: int
    dropped: dict[str, int]


def download_all(
    history: ExchangeHistory,
    symbols: Iterable[str],
    timeframes_ms: Iterable[int],
    asked: AskedRange,
    folder: Path,
    now_ms: int,
    monotonic: Callable[[], float],
    progress: Progress,
) -> list[Downloaded]:
    """Bring the files of a folder, one a symbol and timeframe, up to a range; see `download`.

    `now_ms` is our time, for an exchange that does not tell its own. Raises InputError before anything
    is fetched when the exchange does not have the candles, or a file holds others.
    """
    series = [history.series(symbol, length) for symbol, length in product(symbols, timeframes_ms)]
    for each in series:
        _store(folder, history.exchange_id, each).check()
    folder.mkdir(parents=True, exist_ok=True)
    now_ms = history.now_ms(now_ms)
    return [
        download(
            history,
            each,
            _store(folder, history.exchange_id, each),
            asked.closed(each.timeframe_ms, now_ms),
            monotonic,
            progress,
        )
        for each in series
    ]


def _store(folder: Path, exchange: str, series: Series) -> CandleStore:
    name = f"{exchange}_{series.symbol.replace('/', '-')}_{timeframe_name(series.timeframe_ms)}.parquet"
    return CandleStore(folder / name, exchange, series.symbol, series.timeframe_ms)


def download(
    history: ExchangeHistory,
    series: Series,
    store: CandleStore,
    span: Span,
    monotonic: Callable[[], float],
    progress: Progress,
) -> Downloaded:
    """Fetch what a store's file lacks of a span of open times; what came is kept, whatever happens.

    Raises OperationError when the exchange cannot be asked any more.
    """
    what = f"{series.symbol} {timeframe_name(series.timeframe_ms)}"
    store.load()
    missing = store.missing(span)
    total = sum(stop - start for start, stop in missing) // series.timeframe_ms
    done = 0
    saves = _Saves(store, monotonic)
    try:
        for start, stop in missing:
            since = start
            while since < stop:
                page, reached = history.next_page(series, since, stop)
                store.add(page, (since, reached))
                saves.when_due()
                done += (reached - since) // series.timeframe_ms
                progress(what, done, total)
                since = reached
    finally:
        store.save()
    return _downloaded(store)


class _Saves:
    """Saves a store now and then: a crash loses seconds, and saving takes little of the time."""

    def __init__(self, store: CandleStore, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._due = monotonic() + _SHORTEST_BETWEEN_SAVES_SECONDS

    def when_due(self) -> None:
        begun = self._monotonic()
        if begun < self._due:
            return
        self._store.save()
        ended = self._monotonic()
        self._due = ended + max(_SHORTEST_BETWEEN_SAVES_SECONDS, _BETWEEN_SAVES_PER_SAVE * (ended - begun))


def _downloaded(store: CandleStore) -> Downloaded:
    times = store.rows[:, 0].astype(np.int64)
    return Downloaded(
        file=str(store.file),
        symbol=store.symbol,
        timeframe=timeframe_name(store.timeframe_ms),
        candles=len(times),
        added=store.added,
        first=iso(int(times[0])) if times.size else None,
        last=iso(int(times[-1])) if times.size else None,
        missing=int((np.diff(times) // store.timeframe_ms - 1).sum()),
        dropped=dict(store.dropped),
    )
