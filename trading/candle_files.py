"""Files of candles, Parquet or CSV, as plain columns: read, not yet judged (INTERFACE: FILE)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.errors import CandleError
from trading.simulated_market import SOURCE
from trading.symbols import names_market

PRICES = ("open", "high", "low", "close")
COLUMNS = ("timestamp", *PRICES, "volume")
# An open time that cannot be read as whole milliseconds.
UNREADABLE = np.iinfo(np.int64).min

_SYMBOL_COLUMN = "symbol"
_PARQUET_MAGIC = b"PAR1"
_SNIFFED_BYTES = 4096
# Integer times by magnitude: up to the year 5138 in seconds, from 1973 on in finer units.
_UNITS_PER_SECOND = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (np.inf, 1_000_000_000))
_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class RawCandles:
    """A file's rows as they stand: open times in ms UTC, prices and volume as floats.

    What cannot be read is `UNREADABLE` or NaN; `table` keeps the original values for messages. `symbol`
    is what the file says that it holds, in its own spelling: its column, else its metadata.
    """

    path: Path
    symbol: str | None
    times_ms: Times
    prices: dict[str, Floats]
    volume: Floats
    table: pl.DataFrame

    def __len__(self) -> int:
        return len(self.times_ms)


def read_candles(path: Path, most_rows: int | None = None) -> RawCandles:
    """Read a file of candles, or its first rows only.

    Raises CandleError when it is missing, empty, neither Parquet nor CSV, lacks a column, or mixes
    symbols.
    """
    table = _read_table(path, most_rows)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise CandleError(f"{path}: has no column {missing[0]!r}; needed are {', '.join(COLUMNS)}")
    if table.is_empty():
        raise CandleError(f"{path}: has no rows")
    return RawCandles(
        path=path,
        symbol=_column_symbol(path, table) or metadata(path).get("symbol") or None,
        times_ms=_times_ms(table["timestamp"]),
        prices={name: _floats(table[name]) for name in PRICES},
        volume=_floats(table["volume"]),
        table=table,
    )


def _read_table(path: Path, most_rows: int | None) -> pl.DataFrame:
    head = _head(path)
    try:
        if head.startswith(_PARQUET_MAGIC):
            columns = _known_columns(pl.read_parquet_schema(path))
            return pl.read_parquet(path, columns=columns, n_rows=most_rows)
        if path.suffix != ".parquet" and b"\0" not in head:
            table = pl.read_csv(path, infer_schema=False, n_rows=most_rows)
            return table.select(_known_columns(table.schema))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise CandleError(f"{path}: cannot be read as a table ({reason})") from None
    kind = "a Parquet file" if path.suffix == ".parquet" else "Parquet or CSV"
    raise CandleError(f"{path}: is not {kind}")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFFED_BYTES)
    except OSError as error:
        raise CandleError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not head.strip():
        raise CandleError(f"{path}: is empty")
    return head


def _known_columns(schema: "pl.Schema | dict[str, pl.DataType]") -> list[str]:
    return [name for name in schema if name in COLUMNS or name == _SYMBOL_COLUMN]


def refuse_other_symbol(raw: RawCandles, symbol: str) -> None:
    """Raise CandleError when a file says that its candles are not of this symbol."""
    if raw.symbol is not None and not names_market(raw.symbol, symbol):
        raise CandleError(f"{raw.path}: says that its candles are of {raw.symbol}, not of {symbol}")


def metadata(path: Path) -> dict[str, str]:
    """What a Parquet file says about itself; nothing for any other file."""
    try:
        return dict(pl.read_parquet_metadata(path))
    except (pl.exceptions.PolarsError, OSError):
        return {}


def is_simulated(path: Path) -> bool:
    """Whether a file's candles are made up."""
    return metadata(path).get("source") == SOURCE or SOURCE in path.name


def _column_symbol(path: Path, table: pl.DataFrame) -> str | None:
    if _SYMBOL_COLUMN not in table.columns:
        return None
    symbols = table[_SYMBOL_COLUMN].unique(maintain_order=True).to_list()
    if len(symbols) > 1:
        raise CandleError(f"{path}: mixes symbols ({symbols[0]}, {symbols[1]}); a file holds one")
    return None if symbols[0] is None else str(symbols[0])


def _floats(column: pl.Series) -> Floats:
    """Numbers as floats; decimals and 32-bit floats by their text, which is what they stand for."""
    if column.dtype != pl.Float64 and not column.dtype.is_integer():
        column = column.cast(pl.String, strict=False)
        column = column.str.strip_chars()
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _times_ms(column: pl.Series) -> Times:
    if column.dtype == pl.String:
        column = _parsed_times(column.str.strip_chars())
    if isinstance(column.dtype, pl.Datetime):
        return _in_ms(column.to_physical(), _PER_SECOND[column.dtype.time_unit])
    if column.dtype == pl.Date:
        return _in_ms(column.to_physical().cast(pl.Int64) * 86_400, 1)
    if column.dtype.is_float():
        column = column.cast(pl.Int64, strict=False).set(column != column.round(), None)
    if not column.dtype.is_integer():
        return np.full(len(column), UNREADABLE, dtype=np.int64)
    column = column.cast(pl.Int64, strict=False)
    largest = column.abs().max()
    magnitude = float(largest) if isinstance(largest, int) else 0.0
    return _in_ms(column, next(unit for limit, unit in _UNITS_PER_SECOND if magnitude < limit))


def _parsed_times(column: pl.Series) -> pl.Series:
    """Texts as integers when the first is one, else as ISO 8601, UTC where no offset is given."""
    first = next((text for text in column if text), "")
    if first.lstrip("+-").replace(".", "", 1).isdigit():
        return column.cast(pl.Float64, strict=False) if "." in first else column.cast(pl.Int64, strict=False)
    moments = [_epoch_us(text) for text in column.to_list()]
    return pl.Series(moments, dtype=pl.Int64).cast(pl.Datetime("us"))


def _epoch_us(text: str | None) -> int | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _in_ms(column: pl.Series, per_second: int) -> Times:
    """Counts of a unit in ms; a count that is no whole millisecond is unreadable."""
    counts = column.fill_null(UNREADABLE).to_numpy()
    if per_second <= 1_000:
        return np.where(counts == UNREADABLE, UNREADABLE, counts * (1_000 // per_second))
    step = per_second // 1_000
    whole, rest = np.divmod(counts, step)
    return np.where((rest != 0) | (counts == UNREADABLE), UNREADABLE, whole)
