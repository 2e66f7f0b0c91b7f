"""What the tests of downloads share: the times of the exchange, and what a file holds."""

from pathlib import Path

import polars as pl

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOON_MS = 1_700_049_600_000
LISTED_MS = NOON_MS - 3_500 * HOUR_MS
FILE = Path("binanceus_BTC-USDT_1h.parquet")


def opens(file: Path = FILE) -> list[int]:
    """The open times of a file, in ms."""
    return pl.read_parquet(file)["timestamp"].to_physical().to_list()


def hours(first_ms: int, stop_ms: int) -> list[int]:
    """The open times of hourly candles, the last excluded."""
    return list(range(first_ms, stop_ms, HOUR_MS))
