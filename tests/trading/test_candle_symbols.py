"""A file that says whose candles it holds is not read as another symbol's."""

from pathlib import Path

import polars as pl
import pytest

from tests.trading.candle_tables import candles, parquet
from trading.errors import CandleError
from trading.history import load_history


def noted(folder: Path, symbol: str) -> Path:
    file = folder / "noted.parquet"
    pl.DataFrame(candles()).write_parquet(file, metadata={"symbol": symbol})
    return file


def in_a_column(folder: Path, symbol: str) -> Path:
    return parquet(folder, candles(symbol=[symbol] * 5))


def in_csv(folder: Path, symbol: str) -> Path:
    file = folder / "candles.csv"
    pl.DataFrame(candles(symbol=[symbol] * 5)).write_csv(file)
    return file


WAYS = pytest.mark.parametrize("written", [noted, in_a_column, in_csv])


@WAYS
@pytest.mark.parametrize("said", ["ETH/USDT", "ETHUSDT", "BTC/USD", "BTCUSDC", "ETH", "BTC/USDT:USDT"])
def test_history_of_a_file_that_names_another_symbol_is_refused(
    tmp_path: Path, written: object, said: str
) -> None:
    assert callable(written)
    file = written(tmp_path, said)
    with pytest.raises(CandleError) as refused:
        load_history("BTC/USDT", file)
    assert str(refused.value) == f"{file}: says that its candles are of {said}, not of BTC/USDT"


@WAYS
@pytest.mark.parametrize("said", ["BTC/USDT", "BTCUSDT", "btc-usdt", "BTC_USDT", "BTC", ""])
def test_history_of_a_file_that_names_its_symbol_in_any_spelling_is_read(
    tmp_path: Path, written: object, said: str
) -> None:
    assert callable(written)
    assert load_history("BTC/USDT", written(tmp_path, said)).candles.height == 5


def test_history_of_a_file_without_a_symbol_is_read_as_any(tmp_path: Path) -> None:
    file = parquet(tmp_path, candles())
    assert load_history("BTC/USDT", file).candles.equals(load_history("ETH/USDT", file).candles)
