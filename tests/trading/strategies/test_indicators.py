"""Every indicator against the library `ta`, to 1e-9 relative after the warm-up."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from ta.momentum import ROCIndicator, RSIIndicator
from ta.trend import MACD, ADXIndicator, EMAIndicator, SMAIndicator
from ta.volatility import BollingerBands, DonchianChannel

from tests.data import shared_file
from tests.trading.strategies.walks import walk
from trading.strategies import indicators as ours

CLOSE, HIGH, LOW = pl.col("close"), pl.col("high"), pl.col("low")
Floats = NDArray[np.float64]


def random_walk() -> pl.DataFrame:
    return walk(3000, 11)


def hourly_bitcoin() -> pl.DataFrame:
    return pl.read_parquet(shared_file("btcusdt_binance_1h_2017-2023.parquet")).head(20_000)


MARKETS = pytest.mark.parametrize("market", [random_walk, hourly_bitcoin])


def column(candles: pl.DataFrame, name: str) -> "pd.Series[float]":
    return pd.Series(candles[name].to_numpy())


def assert_equal(
    candles: pl.DataFrame, mine: pl.Expr, theirs: "pd.Series[float]", warmup: int, rounding: float
) -> None:
    """Equal within 1e-9 of the value, or of what rounding at this price leaves of it; null before."""
    values = candles.select(value=mine)["value"]
    assert values.head(warmup).is_null().all()
    got, want = values.to_numpy()[warmup:], theirs.to_numpy()[warmup:]
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=rounding)


@MARKETS
def test_averages_equal_ta(market: Callable[[], pl.DataFrame]) -> None:
    candles = market()
    close = column(candles, "close")
    assert_equal(candles, ours.sma(CLOSE, 20), SMAIndicator(close, 20).sma_indicator(), 19, 0)
    assert_equal(candles, ours.ema(CLOSE, 26), EMAIndicator(close, 26).ema_indicator(), 25, 0)


@MARKETS
def test_macd_equals_ta(market: Callable[[], pl.DataFrame]) -> None:
    candles = market()
    macd = MACD(column(candles, "close"))
    line = ours.macd_line(CLOSE)
    # The line is a small difference of large averages: `ta` itself knows it to some 1e-16 of the price.
    rounding = 1e-14 * float(candles["close"].max())  # type: ignore[arg-type]
    assert_equal(candles, line, macd.macd(), 25, rounding)
    assert_equal(candles, ours.macd_signal(line), macd.macd_signal(), 33, rounding)


@MARKETS
def test_rsi_equals_ta(market: Callable[[], pl.DataFrame]) -> None:
    candles = market()
    theirs = RSIIndicator(column(candles, "close")).rsi()
    assert_equal(candles, ours.rsi(CLOSE), theirs, 13, 0)


@MARKETS
@pytest.mark.parametrize("window", [5, 14])
def test_adx_equals_ta_once_its_zeros_are_masked(market: Callable[[], pl.DataFrame], window: int) -> None:
    candles = market()
    theirs = ADXIndicator(column(candles, "high"), column(candles, "low"), column(candles, "close"), window)
    mine = pl.lit(ours.adx(candles, HIGH, LOW, CLOSE, window))
    assert_equal(candles, mine, theirs.adx(), 2 * window - 1, 0)


@MARKETS
def test_deviation_equals_ta(market: Callable[[], pl.DataFrame]) -> None:
    candles = market()
    bands = BollingerBands(column(candles, "close"), 20, 1)
    theirs = bands.bollinger_hband() - bands.bollinger_mavg()
    rounding = 1e-10 * float(candles["close"].max())  # type: ignore[arg-type]
    assert_equal(candles, ours.rolling_deviation(CLOSE, ours.sma(CLOSE, 20), 20), theirs, 19, rounding)


@MARKETS
def test_rate_of_change_and_channel_equal_ta(market: Callable[[], pl.DataFrame]) -> None:
    candles = market()
    high, low, close = (column(candles, name) for name in ("high", "low", "close"))
    channel = DonchianChannel(high, low, close, 20)
    upper, lower = channel.donchian_channel_hband().shift(1), channel.donchian_channel_lband().shift(1)
    assert_equal(candles, ours.rate_of_change(CLOSE, 12), ROCIndicator(close, 12).roc(), 12, 1e-12)
    assert_equal(candles, ours.highest_before(HIGH, 20), upper, 20, 0)
    assert_equal(candles, ours.lowest_before(LOW, 20), lower, 20, 0)


def test_flat_prices_for_long_give_no_movement_and_no_noise() -> None:
    candles = walk(60_000, 7, flat=[(500, 59_500)])
    close, high, low = pl.col("close_ticks"), pl.col("high_ticks"), pl.col("low_ticks")
    last = candles.select(
        rsi=ours.rsi(close),
        line=ours.settled(ours.macd_line(close), close),
        adx=ours.settled(pl.lit(ours.adx(candles, high, low, close)), close),
        deviation=ours.rolling_deviation(close, ours.sma(close, 20), 20),
    ).row(-1)
    assert last == (50.0, 0.0, 0.0, 0.0)


def test_rounded_takes_nine_significant_digits() -> None:
    values = pl.Series([123456.7891, 123456.78914, 0.0, -0.00012345678949]).to_frame("x")
    a, b, zero, small = values.select(ours.rounded(pl.col("x")))["x"]
    assert a == b
    assert zero == 0
    assert small == pytest.approx(-0.000123456789, rel=1e-15)
