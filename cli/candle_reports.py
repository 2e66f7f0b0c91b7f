"""What the `data` commands say about candle files, and what `import --clean` makes of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from trading.candle_checks import FAULT_NAMES, Checked, Fault, check_candles, refuse_bad_rows, row_fault
from trading.candle_files import PRICES, RawCandles, read_candles
from trading.errors import CandleError, InputError
from trading.simulated_market import SOURCE
from trading.symbols import is_symbol
from trading.timeframe import iso, timeframe_name

OUTLIER_PERCENT = 20.0
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "BTC", "ETH")


@dataclass(frozen=True)
class FileReport:
    """A candle file in figures: holes, bad rows, and prices far from the close before."""

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
    duplicates: int
    bad_rows: int
    faults: dict[str, int]
    first_bad_row: str | None
    outliers: int
    largest_move_percent: float | None


def report(path: Path) -> FileReport:
    """Look a file over. Raises CandleError when it cannot be read as candles at all."""
    raw = read_candles(path)
    checked = check_candles(raw)
    bad = np.flatnonzero(checked.faults)
    good = kept_rows(raw, checked)
    times = raw.times_ms[good]
    if not times.size:
        raise CandleError(f"{path}: has no good row; the first: {row_fault(raw, checked, 0)}")
    counts = checked.counts()
    outliers, largest = _moves(raw, good)
    return FileReport(
        file=str(path),
        symbol=symbol_of(path),
        simulated=is_simulated(path),
        timeframe=timeframe_name(checked.timeframe_ms),
        rows=len(raw),
        first=iso(int(times[0])),
        last=iso(int(times[-1])),
        **_holes(times, checked.timeframe_ms),
        duplicates=counts.get(Fault.REPEATED, 0),
        bad_rows=int(bad.size),
        faults={FAULT_NAMES[fault]: count for fault, count in counts.items()},
        first_bad_row=row_fault(raw, checked, int(bad[0])) if bad.size else None,
        outliers=outliers,
        largest_move_percent=largest,
    )


def kept_rows(raw: RawCandles, checked: Checked) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The rows that --clean keeps, in the order of time: the good ones, and those only out of order."""
    fine = np.flatnonzero(np.isin(checked.faults, (Fault.NONE, Fault.UNSORTED)))
    return fine[np.argsort(raw.times_ms[fine], kind="stable")]


def _holes(times: np.ndarray[Any, np.dtype[np.int64]], length_ms: int) -> dict[str, Any]:
    missing = np.diff(times) // length_ms - 1
    longest = int(np.argmax(missing)) if missing.size else 0
    any_hole = bool(missing.size and missing[longest] > 0)
    return {
        "holes": int(np.count_nonzero(missing)),
        "missing": int(missing.sum()),
        "longest_hole": int(missing[longest]) if any_hole else 0,
        "longest_hole_after": iso(int(times[longest])) if any_hole else None,
    }


def _moves(raw: RawCandles, rows: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[int, float | None]:
    """Candles with a price far from the close before, and the largest move between two closes."""
    if len(rows) < 2:
        return 0, None
    closes = raw.prices["close"][rows]
    away = [np.abs(raw.prices[name][rows][1:] / closes[:-1] - 1) * 100 for name in PRICES]
    outliers = int(np.count_nonzero(np.max(away, axis=0) > OUTLIER_PERCENT))
    return outliers, round(float(np.max(away[PRICES.index("close")])), 2)


def metadata(path: Path) -> dict[str, str]:
    """What a Parquet file says about itself; nothing for a CSV."""
    if path.suffix != ".parquet":
        return {}
    try:
        return dict(pl.read_parquet_metadata(path))
    except (pl.exceptions.PolarsError, OSError):
        return {}


def symbol_of(path: Path) -> str | None:
    """The symbol that a file says it holds, else what its name looks like: btcusdt_1h is BTC/USDT."""
    said = metadata(path).get("symbol")
    if said:
        return said
    for word in path.stem.upper().replace("-", "_").split("_"):
        for quote in _QUOTES:
            guess = f"{word.removesuffix(quote)}/{quote}"
            if word.endswith(quote) and is_symbol(guess):
                return guess
    return None


def is_simulated(path: Path) -> bool:
    """Whether a file's candles are made up."""
    return metadata(path).get("source") == SOURCE or SOURCE in path.name


def clean_table(source: Path, clean: bool) -> tuple[pl.DataFrame, dict[str, int]]:
    """A file's candles as Parquet will hold them, and how many rows were dropped or moved, by reason.

    Without `clean` a bad row raises CandleError.
    """
    raw = read_candles(source)
    checked = check_candles(raw)
    if not clean:
        refuse_bad_rows(raw, checked)
    rows = kept_rows(raw, checked)
    if rows.size < 2:
        raise CandleError(f"{source}: fewer than two good rows are left")
    table = pl.DataFrame(
        {
            "timestamp": pl.Series(raw.times_ms[rows]).cast(pl.Datetime("ms", "UTC")),
            **{name: raw.prices[name][rows] for name in PRICES},
            "volume": raw.volume[rows],
        }
    )
    return table, {FAULT_NAMES[fault]: count for fault, count in checked.counts().items()}


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
