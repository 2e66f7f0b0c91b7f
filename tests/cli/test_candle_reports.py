"""What `data verify` and `data import` find in a file."""

import json
import os
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.candle_reports import Hole, Outlier, report
from cli.main import run
from tests.data import shared_file
from tests.trading.candle_tables import START, candles, changed, parquet
from trading.candle_files import metadata


def holed(folder: Path, *missing: int, count: int = 40) -> Path:
    kept = [row for row in range(count) if row not in missing]
    return parquet(folder, {name: [column[row] for row in kept] for name, column in candles(count).items()})


def hour(row: int) -> str:
    return (START + timedelta(hours=row)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_report_lists_the_longest_holes_with_their_first_and_last_missing_candle(tmp_path: Path) -> None:
    found = report(holed(tmp_path, 3, 10, 11, 12, 20, 30, 31, 32), shown=3)
    assert (found.holes, found.missing, found.longest_hole, found.longest_hole_after) == (4, 8, 3, hour(9))
    assert found.longest_holes == [
        Hole(3, hour(10), hour(12)),
        Hole(3, hour(30), hour(32)),
        Hole(1, hour(3), hour(3)),
    ]


@given(missing=st.sets(st.integers(1, 38), max_size=15))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_report_of_all_holes_names_every_missing_candle(tmp_path: Path, missing: set[int]) -> None:
    found = report(holed(tmp_path, *missing), shown=100)
    named = {
        row
        for hole in found.longest_holes
        for row in range(40)
        if hole.first <= hour(row) <= hole.last
    }  # fmt: skip
    assert named == missing
    assert found.missing == len(missing) == sum(hole.candles for hole in found.longest_holes)
    assert found.holes == len(found.longest_holes)


def test_report_lists_the_largest_outliers_with_time_and_price(tmp_path: Path) -> None:
    table = changed("low", 2, 50.5, count=10)
    table["high"][7] = 1_070.0
    found = report(parquet(tmp_path, table))
    assert found.outliers == 2
    assert found.largest_outliers == [
        Outlier(hour(7), "high", 1_070.0, 107.0, 900.0),
        Outlier(hour(2), "low", 50.5, 102.0, -50.49),
    ]
    assert report(parquet(tmp_path, table), shown=1).largest_outliers == found.largest_outliers[:1]
    assert report(parquet(tmp_path, table), outlier_percent=60).outliers == 1


def test_report_that_lists_nothing_counts_all_the_same(tmp_path: Path) -> None:
    found = report(holed(tmp_path, 3, 10, 11), outlier_percent=0, shown=0)
    assert (found.holes, found.longest_hole, found.longest_hole_after) == (2, 2, hour(9))
    assert found.outliers == 36
    assert (found.longest_holes, found.largest_outliers) == ([], [])


def test_report_of_a_sound_file_lists_nothing(tmp_path: Path) -> None:
    found = report(parquet(tmp_path, candles()))
    assert (found.holes, found.missing, found.longest_holes) == (0, 0, [])
    assert (found.outliers, found.largest_outliers) == (0, [])


def test_report_of_real_candles_finds_their_longest_hole() -> None:
    found = report(shared_file("btcusdt_binance_1h_2017-2023.parquet"))
    assert (found.holes, found.missing) == (28, 128)
    assert found.longest_holes[0] == Hole(33, "2018-02-08T01:00:00Z", "2018-02-09T09:00:00Z")
    assert found.largest_move_percent == pytest.approx(18.2, abs=0.05)


def test_verify_prints_holes_and_outliers_and_as_many_as_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = holed(tmp_path, 3, 10, 11)
    assert run(["data", "verify", str(file)]) == 0
    shown = capsys.readouterr().out
    assert f"2 {hour(10)} {hour(11)}" in " ".join(shown.split())
    assert "Largest outliers" not in shown
    assert run(["data", "verify", str(file), "--json", "--top", "1", "--outlier-percent", "0"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["longest_holes"] == [{"candles": 2, "first": hour(10), "last": hour(11)}]
    assert found["outliers"] == 36 and len(found["largest_outliers"]) == 1
    assert run(["data", "verify", str(parquet(tmp_path, changed("low", 2, 10.0)))]) == 0
    assert f"{hour(2)} low 10 102 -90.2 %" in " ".join(capsys.readouterr().out.split())


def test_import_notes_the_symbol_of_the_column_and_refuses_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(candles(symbol=["ETHUSDT"] * 5)).write_csv("eth.csv")
    assert run(["data", "import", "eth.csv", "eth.parquet"]) == 0
    assert metadata(Path("eth.parquet"))["symbol"] == "ETH/USDT"
    assert run(["data", "import", "eth.csv", "btc.parquet", "--symbol", "BTC/USDT"]) == 2
    assert "eth.csv: says that its candles are of ETHUSDT, not of BTC/USDT" in capsys.readouterr().err
    assert set(os.listdir()) == {"eth.csv", "eth.parquet"}


def test_sample_of_a_year_of_minutes_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "year.parquet"
    assert run(["data", "sample", str(file), "--candles", "525600", "--timeframe", "1m"]) == 0
    found = report(file)
    assert (found.rows, found.missing, found.bad_rows, found.simulated) == (525_600, 0, 0, True)
