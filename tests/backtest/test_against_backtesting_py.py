"""The same entries and exits as the PyPI library `backtesting`, where its rules and ours are the same.

No costs, no gaps, tick and lot 1e-8, small size, SMA 20/50, stop 5 %.
"""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from tests.backtest.backtesting_library import LibraryTrade, cross_sides, library_trades
from tests.data import shared_file
from tests.support.replays import backtested
from trading.orders import Reason
from trading.settings import parse_settings

HOUR_MS = 3_600_000
FAST, SLOW, STOP = 20, 50, Decimal(5)
FINE = Decimal("0.00000001")
SYMBOL = "BTC/USDT"

Rows = list[dict[str, Any]]


def hourly_rows(first: str, hours: int) -> Rows:
    """A stretch of the hourly file without a hole, as candle rows."""
    frame = pl.read_parquet(shared_file("btcusdt_binance_1h_2017-2023.parquet"))
    start = pl.lit(first).str.to_datetime(time_zone="UTC", time_unit="ms")
    frame = frame.filter(pl.col("timestamp") >= start).head(hours)
    times = frame["timestamp"].dt.epoch("ms").to_list()
    assert times[-1] - times[0] == (hours - 1) * HOUR_MS, f"the stretch from {first} has a hole"
    names = ("open", "high", "low", "close", "volume")
    return [
        {"time_ms": time_ms, "filled": False} | {n: Decimal(repr(v)) for n, v in zip(names, row, strict=True)}
        for time_ms, row in zip(times, frame.select(names).iter_rows(), strict=True)
    ]


def wild_rows(seed: int, hours: int = 1500) -> Rows:
    """A seeded market with gaps and long wicks, in which the stop is met often."""
    random, rows, price = Random(seed), [], 10_000
    for i in range(hours):
        opened = price + random.choice([0, 0, 0, -price // 35, price // 35])
        closed = max(100, opened + random.randint(-opened // 40, opened // 40))
        high = max(opened, closed) + random.randint(0, opened // 50)
        low = min(opened, closed) - random.randint(0, opened // 50)
        four = zip(("open", "high", "low", "close"), (opened, high, low, closed), strict=True)
        prices = {name: Decimal(cents) / 100 for name, cents in four}
        rows.append({"time_ms": (400_000 + i) * HOUR_MS, "filled": False, "volume": Decimal(1)} | prices)
        price = closed
    return rows


def product_trades(rows: Rows, fast: int, slow: int, folder: Path) -> list[LibraryTrade]:
    """The closed trades of a backtest by the product on the same candles."""
    path = folder / "candles.parquet"
    columns = ("open", "high", "low", "close", "volume")
    pl.DataFrame(
        {"timestamp": [row["time_ms"] for row in rows]}
        | {name: [float(row[name]) for row in rows] for name in columns}
    ).write_parquet(path)
    settings = parse_settings(
        {
            "market": {SYMBOL: {"tick": FINE, "lot": FINE}},
            "costs": {"fee_percent": 0, "slippage_percent": 0},
            "risk": {"stop_loss_percent": STOP},
            "strategies": [{"name": "cross", "type": "sma_cross", "params": {"fast": fast, "slow": slow}}],
        }
    )
    return [
        LibraryTrade(
            trade.entry_time_ms,
            float(FINE * trade.entry_price),
            trade.exit_time_ms,
            float(FINE * trade.exit_price),
            trade.exit_reason is Reason.STOP,
        )
        for trade in backtested(settings, {SYMBOL: path}).records.trades
    ]


@pytest.mark.parametrize("first", ["2018-07-05 00:00", "2020-03-05 00:00", "2021-05-01 00:00"])
def test_trades_on_hourly_candles_are_the_library_s(first: str, tmp_path: Path) -> None:
    rows = hourly_rows(first, 1200)
    sides = cross_sides([row["close"] for row in rows], FAST, SLOW)
    expected = library_trades(rows, sides, STOP)
    assert len(expected) > 10
    assert product_trades(rows, FAST, SLOW, tmp_path) == expected


@pytest.mark.parametrize("seed", range(5))
def test_trades_on_a_wild_market_with_many_stops_are_the_library_s(seed: int, tmp_path: Path) -> None:
    rows = wild_rows(seed)
    sides = cross_sides([row["close"] for row in rows], 3, 8)
    expected = library_trades(rows, sides, STOP)
    assert sum(trade.stopped for trade in expected) > 10
    assert sum(not trade.stopped for trade in expected) > 10
    assert product_trades(rows, 3, 8, tmp_path) == expected
