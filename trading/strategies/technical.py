"""`technical`: points for RSI, two moving averages and MACD."""

import polars as pl

from trading.strategies.base import REASON_SEPARATOR, VectorStrategy
from trading.strategies.indicators import (
    forget_candles,
    macd_line,
    macd_signal,
    rounded,
    rsi,
    settled,
    sma,
    span_alpha,
)

RSI_POINTS = 30
SMA_POINTS = 25
MACD_POINTS = 20
ALL_POINTS = RSI_POINTS + SMA_POINTS + MACD_POINTS

_PRICE = pl.col("close_ticks")


class Technical(VectorStrategy):
    """RSI 14 under 30 / over 70, SMA 20 over / under SMA 50, MACD 12/26/9 over / under its signal line.

    They give 30, 25 and 20 points to BUY / SELL. The side with more points is spoken with a confidence
    of 100 x its points / 75; equal points are HOLD without an opinion.
    """

    @property
    def warmup_candles(self) -> int:
        return 50

    @property
    def memory_candles(self) -> int:
        return forget_candles(span_alpha(26)) + forget_candles(span_alpha(9))

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        return (
            candles.select(_PRICE, rsi=rsi(_PRICE), fast=sma(_PRICE, 20), slow=sma(_PRICE, 50))
            .with_columns(line=macd_line(_PRICE))
            .with_columns(signal=macd_signal(pl.col("line")))
            .with_columns(settled(pl.col("line", "signal"), _PRICE))
            .select(rounded(pl.col("rsi", "fast", "slow", "line", "signal")))
            .select("rsi", sma=_order("fast", "slow"), macd=_order("line", "signal"))
            .with_columns(buy=_points(1), sell=_points(-1))
            .select(_side(), _confidence(), _reasons())
        )


def _order(left: str, right: str) -> pl.Expr:
    """1 where left is over right, -1 where it is under, 0 where they tie."""
    return (pl.col(left) - pl.col(right)).sign().fill_null(0)


def _points(direction: int) -> pl.Expr:
    """The points for BUY (1) or SELL (-1)."""
    beyond = pl.col("rsi") < 30 if direction > 0 else pl.col("rsi") > 70
    return (
        pl.when(beyond).then(RSI_POINTS).otherwise(0)
        + pl.when(pl.col("sma") == direction).then(SMA_POINTS).otherwise(0)
        + pl.when(pl.col("macd") == direction).then(MACD_POINTS).otherwise(0)
    )


def _side() -> pl.Expr:
    buy, sell = pl.col("buy"), pl.col("sell")
    words = pl.when(buy > sell).then(pl.lit("BUY")).when(sell > buy).then(pl.lit("SELL"))
    return words.otherwise(pl.lit("HOLD")).alias("side")


def _confidence() -> pl.Expr:
    buy, sell = pl.col("buy"), pl.col("sell")
    winner = pl.when(buy == sell).then(0).otherwise(pl.max_horizontal(buy, sell))
    return (100 * winner / ALL_POINTS).alias("confidence")


def _reasons() -> pl.Expr:
    index = pl.col("rsi")
    shown = index.round(2).cast(pl.String)
    about_rsi = (
        pl.when(index < 30)
        .then(pl.format("RSI {} under 30", shown))
        .when(index > 70)
        .then(pl.format("RSI {} over 70", shown))
    )
    about_sma = _words("sma", "SMA 20 over SMA 50", "SMA 20 under SMA 50")
    about_macd = _words("macd", "MACD over its signal line", "MACD under its signal line")
    joined = pl.concat_str(about_rsi, about_sma, about_macd, separator=REASON_SEPARATOR, ignore_nulls=True)
    return joined.alias("reasons")


def _words(order: str, over: str, under: str) -> pl.Expr:
    sign = pl.col(order)
    return pl.when(sign > 0).then(pl.lit(over)).when(sign < 0).then(pl.lit(under))
