"""What the `data` commands say about candle files, and what `import --clean` makes of one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from trading.candle_checks import FAULT_NAMES, Checked, Fault, check_candles, refuse_bad_rows, row_fault
from trading.candle_files import (
    PRICES,
    Floats,
    RawCandles,
    Times,
    is_simulated,
    metadata,
    read_candles,
    refuse_other_symbol,
)
from trading.errors import CandleError, InputError
from trading.symbols import is_symbol
from trading.timeframe import iso, timeframe_name

OUTLIER_PERCENT = 20.0
SHOWN = 5
_CLOSE = PRICES.index("close")
Rows = np.ndarray[Any, np.dtype[np.int64]]
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "BTC", "ETH")


@dataclass(frozen=True)
class Hole:
    """Candles that are missing in a row: how many, and the open times of the first and the last."""

    candles: int
    first: str
    last: str


@dataclass(frozen=True)
class Outlier:
    """A candle with a price far from the close before: its open time, and that price."""

    time: str
    price: str
    value: float
    close_before: float
    move_percent: float


@dataclass(frozen=True)
class FileReport:
    """A candle file in figures: holes, bad rows, and prices far from the close before.

    `longest_holes` and `largest_outliers` have the worst ones, worst first.
    """

    file: str
    symbol: str | None
    simulated: bool
    timeframe: str
    rows: int
    first: str
    last: str
    holes: int
    missing: int
    longest_hole: int
    longest_hole_after: str | None
    longest_holes: list[Hole]
    duplicates: int
    bad_rows: int
    faults: dict[str, int]
    first_bad_row: str | None
    outliers: int
    largest_outliers: list[Outlier]
    largest_move_percent: float | None


def report(path: Path, outlier_percent: float = OUTLIER_PERCENT, shown: int = SHOWN) -> FileReport:
    """Look a file over. Raises CandleError when it cannot be read as candles at all.

    `shown` is how many holes and outliers are listed; all are counted.
    """
    raw = read_candles(path)
    checked = check_candles(raw)
    bad = np.flatnonzero(checked.faults)
    good = kept_rows(raw, checked)
    times = raw.times_ms[good]
    if not times.size:
        raise CandleError(f"{path}: has no good row; the first: {row_fault(raw, checked, 0)}")
    counts = checked.counts()
    return FileReport(
        file=str(path),
        symbol=symbol_of(raw),
        simulated=is_simulated(path),
        timeframe=timeframe_name(checked.timeframe_ms),
        rows=len(raw),
        first=iso(int(times[0])),
        last=iso(int(times[-1])),
        **_holes(times, checked.timeframe_ms, shown),
        duplicates=counts.get(Fault.REPEATED, 0),
        bad_rows=int(bad.size),
        faults={FAULT_NAMES[fault]: count for fault, count in counts.items()},
        first_bad_row=row_fault(raw, checked, int(bad[0])) if bad.size else None,
        **_moves(raw, good, outlier_percent, shown),
    )


def kept_rows(raw: RawCandles, checked: Checked) -> Rows:
    """The rows that --clean keeps, in the order of time: the good ones, and those only out of order."""
    fine = np.flatnonzero(np.isin(checked.faults, (Fault.NONE, Fault.UNSORTED)))
    return fine[np.argsort(raw.times_ms[fine], kind="stable")]


def _holes(times: Times, length_ms: int, shown: int) -> dict[str, Any]:
    missing = np.diff(times) // length_ms - 1
    holes = np.flatnonzero(missing)
    longest = _largest(missing[holes], holes, shown)
    return {
        "holes": int(holes.size),
        "missing": int(missing.sum()),
        "longest_hole": int(missing.max(initial=0)),
        "longest_hole_after": iso(int(times[np.argmax(missing)])) if holes.size else None,
        "longest_holes": [
            Hole(int(missing[row]), iso(int(times[row]) + length_ms), iso(int(times[row + 1]) - length_ms))
            for row in longest
        ],
    }


def _moves(raw: RawCandles, rows: Rows, outlier_percent: float, shown: int) -> dict[str, Any]:
    """Candles with a price far from the close before, and the largest move between two closes."""
    closes = raw.prices["close"][rows]
    moves = np.array([raw.prices[name][rows][1:] / closes[:-1] - 1 for name in PRICES]) * 100
    worst = np.argmax(np.abs(moves), axis=0)
    worst_moves = moves[worst, np.arange(worst.size)]
    far = np.flatnonzero(np.abs(worst_moves) > outlier_percent)
    listed = _largest(np.abs(worst_moves[far]), far, shown)
    return {
        "outliers": int(far.size),
        "largest_outliers": [
            Outlier(
                time=iso(int(raw.times_ms[rows[row + 1]])),
                price=PRICES[worst[row]],
                value=float(raw.prices[PRICES[worst[row]]][rows[row + 1]]),
                close_before=float(closes[row]),
                move_percent=round(float(worst_moves[row]), 2),
            )
            for row in listed
        ],
        "largest_move_percent": round(float(np.abs(moves[_CLOSE]).max()), 2) if worst.size else None,
    }


def _largest(sizes: Rows | Floats, rows: Rows, count: int) -> Rows:
    """The rows of the largest sizes, largest first; of equal ones the earliest first."""
    return rows[np.argsort(-sizes, kind="stable")[:count]]


def symbol_of(raw: RawCandles) -> str | None:
    """The symbol that a file says it holds, else what its name looks like: btcusdt_1h is BTC/USDT."""
    if raw.symbol and is_symbol(raw.symbol):
        return raw.symbol
    text = raw.symbol or raw.path.stem
    for word in text.upper().replace("-", "_").split("_"):
        for quote in _QUOTES:
            guess = f"{word.removesuffix(quote)}/{quote}"
            if word.endswith(quote) and is_symbol(guess):
                return guess
    return None


def origin(raw: RawCandles, symbol: str | None) -> dict[str, str]:
    """What a copy of a file says about its candles: their symbol, and where they come from.

    Raises CandleError when the file says that it holds another symbol.
    """
    if symbol is not None:
        refuse_other_symbol(raw, symbol)
    elif raw.symbol is not None:
        symbol = symbol_of(raw)
    said = metadata(raw.path) | ({"symbol": symbol} if symbol else {})
    return {name: said[name] for name in ("symbol", "source", "exchange") if name in said}


def clean_table(raw: RawCandles, clean: bool) -> tuple[pl.DataFrame, dict[str, int]]:
    """A file's candles as Parquet will hold them, and how many rows were dropped or moved, by reason.

    Without `clean` a bad row raises CandleError.
    """
    checked = check_candles(raw)
    if not clean:
        refuse_bad_rows(raw, checked)
    rows = kept_rows(raw, checked)
    if rows.size < 2:
        raise CandleError(f"{raw.path}: fewer than two good rows are left")
    table = candle_table(
        raw.times_ms[rows], {name: raw.prices[name][rows] for name in PRICES}, raw.volume[rows]
    )
    return table, {FAULT_NAMES[fault]: count for fault, count in checked.counts().items()}


def candle_table(times_ms: Times, prices: Mapping[str, Floats], volume: Floats) -> pl.DataFrame:
    """Candles as a file holds them."""
    return pl.DataFrame(
        {"timestamp": pl.Series(times_ms).cast(pl.Datetime("ms", "UTC")), **prices, "volume": volume}
    )


def write_candles(table: pl.DataFrame, target: Path, about: dict[str, str]) -> None:
    """Write candles to a Parquet file, whole or not at all."""
    partial = target.with_name(target.name + ".partial")
    try:
        table.write_parquet(partial, metadata=about)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from None


def check_target(target: Path, force: bool) -> None:
    """Raise InputError unless a Parquet file may be written there."""
    if target.suffix != ".parquet":
        raise InputError(f"{target}: the name of a file of candles to write must end in .parquet")
    if target.exists() and not force:
        raise InputError(f"{target} exists already; --force replaces it")
    if not target.parent.is_dir():
        raise InputError(f"{target.parent} is not a folder")


def candle_files(folder: Path) -> Iterator[Path]:
    """The Parquet and CSV files of a folder, by name. Raises InputError when it is not a folder."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    yield from sorted(path for path in folder.iterdir() if path.suffix in (".parquet", ".csv"))
