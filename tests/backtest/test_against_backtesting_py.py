"""The same entries and exits as the PyPI library `backtesting`, where its rules and ours are the same.

No costs, no gaps, tick and lot 1e-8, small size, SMA 20/50, stop 5 %.
"""

from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pytest

from tests.backtest.backtesting_library import LibraryTrade, cross_sides, library_trades
from tests.data import shared_file
from tests.oracle.simulate import simulate

HOUR_MS = 3_600_000
FAST, SLOW, STOP = 20, 50, Decimal(5)
FINE = (Decimal("0.00000001"), Decimal("0.00000001"), Decimal(1))

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
        rows.append({"time_ms": i * HOUR_MS, "filled": False, "volume": Decimal(1)} | prices)
        price = closed
    return rows


def oracle_trades(rows: Rows, sides: list[str]) -> list[LibraryTrade]:
    """The closed trades of the oracle on the same candles and sides."""
    said = zip(rows, sides, strict=True)
    signals = {("v", "A", row["time_ms"]): (side, Decimal(100)) for row, side in said if side != "HOLD"}
    voter = {"name": "v", "weight": 1, "enabled": True, "valid_candles": 1, "warmup_candles": 1}
    settings = {
        "initial_capital": Decimal(10_000),
        "timeframe_ms": HOUR_MS,
        "markets": {"A": FINE},
        "strategies": [voter],
        "fee_percent": Decimal(0),
        "slippage_percent": Decimal(0),
        "stop_loss_percent": STOP,
    }
    return [
        LibraryTrade(
            t["entry_time"],
            float(t["entry_price"]),
            t["exit_time"],
            float(t["exit_price"]),
            t["exit_reason"] == "stop",
        )
        for t in simulate({"A": rows}, signals, settings).trades
        if t["exit_reason"] != "open"
    ]


@pytest.mark.parametrize("first", ["2018-07-05 00:00", "2020-03-05 00:00", "2021-05-01 00:00"])
def test_trades_on_hourly_candles_are_the_library_s(first: str) -> None:
    rows = hourly_rows(first, 1200)
    sides = cross_sides([row["close"] for row in rows], FAST, SLOW)
    expected = library_trades(rows, sides, STOP)
    assert len(expected) > 10
    assert oracle_trades(rows, sides) == expected


@pytest.mark.parametrize("seed", range(5))
def test_trades_on_a_wild_market_with_many_stops_are_the_library_s(seed: int) -> None:
    rows = wild_rows(seed)
    sides = cross_sides([row["close"] for row in rows], 3, 8)
    expected = library_trades(rows, sides, STOP)
    assert sum(trade.stopped for trade in expected) > 10
    assert sum(not trade.stopped for trade in expected) > 10
    assert oracle_trades(rows, sides) == expected
