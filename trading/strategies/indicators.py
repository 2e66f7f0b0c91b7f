"""Indicators in polars, equal to those of the library `ta`, quick, and without its zeros.

Every indicator takes prices in any unit; exact ticks are best. Rows that are still warming up are null.
Two habits make the whole history and the declared memory agree:

- Averages that forget exponentially are taken of price *changes*, never of prices, so that over flat
  candles they fade without rounding noise.
- A movement under `TINY` of the price, the resolution of a double, is none.
"""

import math
import operator
from functools import reduce

import polars as pl

TINY = 1e-15
SIGNIFICANT_DIGITS = 9
# ln(1 / TINY) candles x 1 / alpha until a movement is none, and as many again to get there exactly.
_FORGOTTEN = 65.0


def rounded(values: pl.Expr) -> pl.Expr:
    """Values at 9 significant digits: what built-in strategies compare (rulebook 9)."""
    return values.round_sig_figs(SIGNIFICANT_DIGITS)


def settled(values: pl.Expr, price: pl.Expr) -> pl.Expr:
    """Values with movements under `TINY` of the price set to 0."""
    return pl.when(values.abs() >= price * TINY).then(values).otherwise(values * 0)


def forget_candles(alpha: float) -> int:
    """After how many candles an exponential average of this alpha has forgotten what was before."""
    return math.ceil(_FORGOTTEN / alpha)


def span_alpha(window: int) -> float:
    """The alpha of an exponential moving average over `window` candles: 2 / (window + 1)."""
    return 2 / (window + 1)


def sma(price: pl.Expr, window: int) -> pl.Expr:
    """Simple moving average; exact before its one division when prices are integers."""
    return price.rolling_sum(window) / window


def lag(price: pl.Expr, window: int) -> pl.Expr:
    """Price less its exponential moving average over `window` candles (which starts at the first price).

    With d the change of the price, lag' = (1 - alpha) x (lag + d): an exponential average of d,
    times (1 - alpha) / alpha.
    """
    alpha = span_alpha(window)
    return _changes(price).ewm_mean(alpha=alpha, adjust=False) * ((1 - alpha) / alpha)


def ema(price: pl.Expr, window: int) -> pl.Expr:
    """Exponential moving average (`ta.trend.EMAIndicator`)."""
    return _from_row(price - lag(price, window), window - 1)


def macd_line(price: pl.Expr, fast: int = 12, slow: int = 26) -> pl.Expr:
    """MACD: EMA(fast) - EMA(slow), in price units (`ta.trend.MACD`)."""
    return _from_row(lag(price, slow) - lag(price, fast), slow - 1)


def macd_signal(line: pl.Expr, window: int = 9) -> pl.Expr:
    """The signal line: the EMA over `window` candles of the MACD line, from its first value on."""
    return line.ewm_mean(span=window, adjust=False, min_samples=window, ignore_nulls=True)


def rsi(price: pl.Expr, window: int = 14) -> pl.Expr:
    """Wilder's relative strength index, 0 to 100 (`ta.momentum.RSIIndicator`); 50 without movement."""
    change = _changes(price)
    up = change.clip(lower_bound=0).ewm_mean(alpha=1 / window, adjust=False)
    down = (-change).clip(lower_bound=0).ewm_mean(alpha=1 / window, adjust=False)
    moved = up + down
    index = pl.when(moved < price * TINY).then(50.0).otherwise(100 * up / moved)
    return _from_row(index, window - 1)


def adx(candles: pl.DataFrame, high: pl.Expr, low: pl.Expr, close: pl.Expr, window: int = 14) -> pl.Series:
    """Wilder's average directional index, 0 to 100 (`ta.trend.ADXIndicator`); null for 2 x window - 1 rows.

    The true range cancels out of the directional index, so only the two movements are averaged.
    """
    up, down = pl.col("up"), pl.col("down")
    plus, minus = pl.col("plus"), pl.col("minus")
    index = pl.when(plus + minus < pl.col("close") * TINY).then(0.0)
    return (
        candles.select(close=close, up=high.diff(), down=-low.diff())
        .with_columns(
            plus=pl.when((up > down) & (up > 0)).then(up).otherwise(0.0),
            minus=pl.when((down > up) & (down > 0)).then(down).otherwise(0.0),
        )
        .with_columns(_wilder(plus, window, 1), _wilder(minus, window, 1))
        .select(index=index.otherwise(100 * (plus - minus).abs() / (plus + minus)))
        .select(_wilder(pl.col("index"), window, window))
        .to_series()
    )


def rolling_deviation(price: pl.Expr, mean: pl.Expr, window: int) -> pl.Expr:
    """The standard deviation (ddof 0) of the last `window` prices around their simple average, as in
    `ta.volatility.BollingerBands`.

    Added up in a fixed order: exactly 0 over flat candles and the same wherever the frame begins.
    """
    distances = [price.shift(back) - mean for back in range(window)]
    return (reduce(operator.add, (distance * distance for distance in distances)) / window).sqrt()


def rate_of_change(price: pl.Expr, window: int) -> pl.Expr:
    """The change over `window` candles, in percent (`ta.momentum.ROCIndicator`)."""
    before = price.shift(window)
    return 100 * (price - before) / before


def highest_before(high: pl.Expr, window: int) -> pl.Expr:
    """The highest high of the `window` candles before this one: the upper Donchian channel."""
    return high.rolling_max(window).shift(1)


def lowest_before(low: pl.Expr, window: int) -> pl.Expr:
    """The lowest low of the `window` candles before this one: the lower Donchian channel."""
    return low.rolling_min(window).shift(1)


def _changes(price: pl.Expr) -> pl.Expr:
    return price.diff().fill_null(0).cast(pl.Float64)


def _from_row(values: pl.Expr, first: int) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()) >= first).then(values)


def _wilder(values: pl.Expr, window: int, first: int) -> pl.Expr:
    """Wilder's average (alpha 1 / window): starts with the mean of `window` values from row `first` on."""
    row = pl.int_range(pl.len())
    start = first + window - 1
    seed = values.cast(pl.Float64).rolling_mean(window)
    seeded = pl.when(row > start).then(values).when(row == start).then(seed)
    return seeded.ewm_mean(alpha=1 / window, adjust=False, ignore_nulls=True)
