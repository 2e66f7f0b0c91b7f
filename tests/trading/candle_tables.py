"""Small candle files for tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

START = datetime(2021, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
HOUR_MS = 3_600_000


def candles(count: int = 5, **columns: list[Any]) -> dict[str, list[Any]]:
    """Columns of good hourly candles; named ones are replaced."""
    prices = [100.0 + index for index in range(count)]
    table: dict[str, list[Any]] = {
        "timestamp": [START + timedelta(hours=index) for index in range(count)],
        "open": prices,
        "high": [price + 2 for price in prices],
        "low": [price - 1 for price in prices],
        "close": [price + 1 for price in prices],
        "volume": [1.5] * count,
    }
    return table | columns


def parquet(folder: Path, table: dict[str, list[Any]], name: str = "candles.parquet") -> Path:
    """The columns as a Parquet file."""
    file = folder / name
    pl.DataFrame(table, strict=False).write_parquet(file)
    return file


def changed(column: str, row: int, value: object, count: int = 5) -> dict[str, list[Any]]:
    """Good candles but for one value."""
    table = candles(count)
    table[column][row] = value
    return table
