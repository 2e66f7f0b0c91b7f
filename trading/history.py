"""Histories: a symbol's stored candles, checked, in ticks, on a grid without holes (rulebook 1 and 2)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.candle_checks import check_candles, refuse_bad_rows
from trading.candle_files import PRICES, RawCandles, Times, read_candles, refuse_other_symbol
from trading.candles import Candle
from trading.errors import CandleError, InputError
from trading.market import Market
from trading.price_ticks import Floats, Ticks, finest_tick, to_prices, to_ticks
from trading.settings import MarketSettings, market_rules
from trading.symbols import checked_symbol, fault_in_symbols
from trading.timeframe import iso, timeframe_name

# A grid longer than this does not fit a usual memory: 38 years of minutes.
MOST_CANDLES = 20_000_000


@dataclass(frozen=True)
class History:
    """One symbol's candles from its first real one to its last, without holes.

    `candles` has the columns `timestamp` (open time, Datetime ms UTC), `open`, `high`, `low`, `close`
    and `volume` (Float64; prices are the floats nearest to ticks x tick), `open_ticks`, `high_ticks`,
    `low_ticks`, `close_ticks` (Int64), and `filled` (Boolean: made for a hole).
    """

    market: Market
    timeframe_ms: int
    candles: pl.DataFrame

    @property
    def open_times_ms(self) -> Times:
        """The open times of the candles, filled ones included."""
        return self.candles["timestamp"].to_physical().to_numpy()

    def first_row_from(self, open_time_ms: int) -> int:
        """The row of the first candle that opens at this time or later; the length when none does."""
        return int(np.searchsorted(self.open_times_ms, open_time_ms))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as plain arrays, which another process can read where they lie, without a copy."""
        columns = {name: self.candles[name].to_physical().to_numpy() for name in self.candles.columns}
        return _unpickled, (self.market, self.timeframe_ms, columns)

    def head(self, rows: int) -> "History":
        """The same history, cut after so many rows."""
        return History(self.market, self.timeframe_ms, self.candles.head(rows))


def _unpickled(market: Market, timeframe_ms: int, columns: dict[str, NDArray[Any]]) -> History:
    candles = pl.DataFrame(columns).with_columns(pl.col("timestamp").cast(pl.Datetime("ms", "UTC")))
    return History(market, timeframe_ms, candles)


def load_histories(
    files: Iterable[tuple[str, Path]], markets: Mapping[str, MarketSettings] | None = None
) -> list[History]:
    """The histories of (symbol, file) pairs that one run may hold together, in their order.

    `markets` are the `[market]` sections by symbol. Raises InputError when a symbol comes twice, or
    quote currencies or timeframes differ; and what `load_history` raises.
    """
    pairs = [(checked_symbol(symbol), path) for symbol, path in files]
    fault = fault_in_symbols(symbol for symbol, _ in pairs)
    if fault:
        raise InputError(f"data: {fault}")
    histories = [load_history(symbol, path, (markets or {}).get(symbol)) for symbol, path in pairs]
    for history, (_, path) in zip(histories, pairs, strict=True):
        if history.timeframe_ms != histories[0].timeframe_ms:
            raise CandleError(
                f"{path}: its timeframe is {timeframe_name(history.timeframe_ms)}, that of {pairs[0][1]} "
                f"{timeframe_name(histories[0].timeframe_ms)}; one run has one timeframe"
            )
    return histories


def load_history(
    symbol: str, path: Path, section: MarketSettings | None = None, tick: Decimal | None = None
) -> History:
    """One symbol's history from a Parquet or CSV file.

    The price step is `tick`, else that of the `[market]` section, else the finest decimal of the
    file's prices. Raises CandleError, naming file, row and rule, for anything that rulebook 1 forbids,
    and when the file says that it holds another symbol.
    """
    raw = read_candles(path)
    refuse_other_symbol(raw, symbol)
    checked = check_candles(raw)
    refuse_bad_rows(raw, checked)
    prices = np.concatenate([raw.prices[name] for name in PRICES])
    market = market_rules(symbol, section, tick or finest_tick(prices))
    if tick is not None:
        market = Market(symbol, tick, market.lot, market.min_notional)
    ticks = _ticks(raw, prices, market.tick)
    return History(market, checked.timeframe_ms, _grid(raw, ticks, checked.timeframe_ms, market.tick))


def history_of(market: Market, timeframe_ms: int, moments: Sequence[tuple[int, Candle]]) -> History:
    """The history of one symbol's candles, with their open times in ms, as a run has seen them."""
    candles = [candle for _, candle in moments]
    ticks = {
        "open": [each.open for each in candles],
        "high": [each.high for each in candles],
        "low": [each.low for each in candles],
        "close": [each.close for each in candles],
    }
    in_ticks = {name: np.array(values, np.int64) for name, values in ticks.items()}
    times = pl.Series([time_ms for time_ms, _ in moments], dtype=pl.Int64)
    table = pl.DataFrame(
        {
            "timestamp": times.cast(pl.Datetime("ms", "UTC")),
            **{name: to_prices(values, market.tick) for name, values in in_ticks.items()},
            "volume": [each.volume for each in candles],
            **{f"{name}_ticks": values for name, values in in_ticks.items()},
            "filled": [each.filled for each in candles],
        }
    )
    return History(market, timeframe_ms, table)


def _ticks(raw: RawCandles, prices: Floats, tick: Decimal) -> list[Ticks]:
    """Open, high, low and close in ticks; rounding keeps their order, so the candle rules still hold."""
    try:
        ticks = to_ticks(prices, tick)
    except CandleError as error:
        raise CandleError(f"{raw.path}: {error}") from None
    columns = np.split(ticks, len(PRICES))
    nothing = np.flatnonzero(np.min(columns, axis=0) == 0)
    if nothing.size:
        row = int(nothing[0])
        raise CandleError(
            f"{raw.path}: row {row + 1} ({iso(int(raw.times_ms[row]))}): low {raw.prices['low'][row]:g} "
            f"rounds to 0 with a tick of {tick:f}"
        )
    return columns


def _grid(raw: RawCandles, ticks: list[Ticks], length_ms: int, tick: Decimal) -> pl.DataFrame:
    """The candles on their grid, holes filled with the last close."""
    rows, filled = _rows_on_grid(raw, length_ms)
    closes = ticks[3][rows]
    in_ticks = [np.where(filled, closes, column[rows]) for column in ticks]
    times = raw.times_ms[0] + length_ms * np.arange(len(rows), dtype=np.int64)
    names = [f"{name}_ticks" for name in PRICES]
    return pl.DataFrame(
        {
            "timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")),
            **{name: to_prices(column, tick) for name, column in zip(PRICES, in_ticks, strict=True)},
            "volume": np.where(filled, 0.0, raw.volume[rows]),
            **dict(zip(names, in_ticks, strict=True)),
            "filled": filled,
        }
    )


def _rows_on_grid(raw: RawCandles, length_ms: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each open time of the grid the row of the last real candle, and whether it is filled."""
    places = (raw.times_ms - raw.times_ms[0]) // length_ms
    length = int(places[-1]) + 1
    if length > MOST_CANDLES:
        raise CandleError(
            f"{raw.path}: spans {length} candles of {timeframe_name(length_ms)} from "
            f"{iso(int(raw.times_ms[0]))}; at most {MOST_CANDLES} are allowed"
        )
    rows = np.repeat(np.arange(len(places)), np.diff(places, append=length))
    filled = np.ones(length, dtype=np.bool_)
    filled[places] = False
    return rows, filled
