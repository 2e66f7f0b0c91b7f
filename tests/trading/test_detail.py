"""Finer candles inside a strategy's candles: which they are, and what fires in them first."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from tests.trading.candle_tables import HOUR_MS, START, START_MS, candles, parquet
from trading.candles import Candle
from trading.detail import Detail, detail_of
from trading.errors import InputError
from trading.history import History, load_history
from trading.simulated_venue import Moment

QUARTER_MS = HOUR_MS // 4
SYMBOL = "BTC/USDT"


def quarters(folder: Path, places: list[int], name: str = "fine.parquet") -> Path:
    """Quarter-hourly candles at these quarters, each around 100 + its place."""
    prices = [100.0 + place for place in places]
    table: dict[str, list[Any]] = {
        "timestamp": [START + place * timedelta(minutes=15) for place in places],
        "open": prices,
        "high": [price + 0.5 for price in prices],
        "low": [price - 0.5 for price in prices],
        "close": prices,
        "volume": [1.0] * len(places),
    }
    return parquet(folder, table, name)


def hours(folder: Path) -> History:
    return load_history(SYMBOL, parquet(folder, candles(4)), tick=Decimal("0.1"))


def detail(folder: Path, places: list[int]) -> Detail:
    return detail_of(hours(folder), load_history(SYMBOL, quarters(folder, places), tick=Decimal("0.1")))


def test_traded_hour_is_its_quarters_in_order_and_without_any_it_is_itself(tmp_path: Path) -> None:
    found = detail(tmp_path, [0, 1, 2, 3, 4, 6, 12, 13, 14, 15])
    hour = Candle(SYMBOL, 1000, 1020, 990, 1010, 1.5)
    second = found.moments(START_MS + HOUR_MS, hour)
    assert [moment.time_ms for moment in second] == [
        START_MS + HOUR_MS + place * QUARTER_MS for place in (0, 2)
    ]
    assert [(each.candle.open, each.candle.high, each.candle.low) for each in second] == [
        (1040, 1045, 1035),
        (1060, 1065, 1055),
    ]
    third_ms = START_MS + 2 * HOUR_MS
    assert found.moments(third_ms, hour) == (Moment(third_ms, hour),)


def test_filled_hour_is_never_traded_in_through_its_quarters(tmp_path: Path) -> None:
    filled = Candle(SYMBOL, 1000, 1000, 1000, 1000, 0.0, True)
    assert detail(tmp_path, list(range(16))).moments(START_MS, filled) == (Moment(START_MS, filled),)


def test_covered_is_the_part_of_the_candles_that_have_finer_ones(tmp_path: Path) -> None:
    history = hours(tmp_path)
    assert detail(tmp_path, list(range(16))).covered(history, 0) == 1
    assert detail(tmp_path, list(range(8))).covered(history, 0) == 0.5
    assert detail(tmp_path, list(range(8))).covered(history, 2) == 0


def test_detail_that_is_not_finer_is_bad_input(tmp_path: Path) -> None:
    history = hours(tmp_path)
    with pytest.raises(InputError, match="--detail BTC/USDT: its timeframe is 1h; it must be shorter"):
        detail_of(history, history)
    other = load_history(SYMBOL, quarters(tmp_path, list(range(8))), tick=Decimal("0.01"))
    with pytest.raises(InputError, match="--detail BTC/USDT: its tick differs from that of --data"):
        detail_of(history, other)


DAYS = """
import polars as pl
from trading.strategies import VectorStrategy
class Once(VectorStrategy):
    def signals(self, candles):
        first = pl.int_range(pl.len()) == 1
        side = pl.when(first).then(pl.lit("BUY")).otherwise(pl.lit("HOLD"))
        sure = pl.when(first).then(100.0).otherwise(0.0)
        return candles.select(side.alias("side"), sure.alias("confidence"))
"""


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_target_before_stop_in_finer_candles_is_taken_where_the_hour_says_stop(
    tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flat: dict[str, list[Any]] = {name: [100.0] * 5 for name in ("open", "high", "low", "close")}
    table = candles(5, **flat)
    table["high"][3], table["low"][3] = 110.0, 90.0
    data = parquet(tmp_path, table, "hours.parquet")
    fine = {name: [100.0] * 20 for name in ("open", "high", "low", "close")}
    fine["high"][13], fine["low"][14] = 110.0, 90.0
    times = [START + place * timedelta(minutes=15) for place in range(20)]
    finer = parquet(tmp_path, {"timestamp": times, **fine, "volume": [1.0] * 20}, "quarters.parquet")
    (tmp_path / "once.py").write_text(DAYS)
    (tmp_path / "autotrader.toml").write_text(
        "[risk]\nstop_loss_percent = 5\ntake_profit_percent = 3\n"
        '[[strategies]]\nname = "once"\ntype = "once"\npath = "once.py"\n'
    )
    exits = []
    for more in ([], ["--detail", f"{SYMBOL}={finer}"]):
        out = tmp_path / f"out{len(more)}"
        assert (
            run(["backtest", "--data", f"{SYMBOL}={data}", "--engine", engine, "--out", str(out), *more]) == 0
        )
        row = (out / "trades.csv").read_text().splitlines()[1].split(",")
        exits.append((row[8], row[5]))
    assert exits == [("stop", "2021-01-01T03:00:00Z"), ("take_profit", "2021-01-01T03:15:00Z")]
    assert "covers" not in capsys.readouterr().err
    assert "detail" in json.loads((tmp_path / "out2" / "summary.json").read_text())["settings"]
