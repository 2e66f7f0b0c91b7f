"""A run as arrays, made once and drawn many times. Floats here are for the eye; the money stays exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from backtest.report.sampling import Floats, Rows, Times
from backtest.results import RunResult
from trading.history import History
from trading.market import decimal_places
from trading.statistics import HOUR_MS
from trading.timeframe import DAY_MS


@dataclass(frozen=True)
class PriceSpan:
    """One symbol's candles in the range of the run: open times and prices; `decimals` of its tick."""

    symbol: str
    times_ms: Times
    prices: dict[str, Floats]
    decimals: int

    def close_rows(self, open_times_ms: Times) -> Rows:
        """The row of the last candle at each of these open times; -1 before the first."""
        return np.asarray(np.searchsorted(self.times_ms, open_times_ms, side="right") - 1)


class RunData:
    """The curves of a run on its open times, in quote; days, and trades as a table."""

    def __init__(self, result: RunResult, histories: Sequence[History]) -> None:
        records, unit = result.records, 10.0**-result.rules.quote_decimals
        self.result = result
        self.quote = result.rules.quote
        self.capital = result.rules.initial_capital * unit
        self.open_times_ms: Times = np.asarray(records.open_times_ms, dtype=np.int64)
        self.close_times_ms: Times = self.open_times_ms + result.rules.timeframe_ms
        self.equity: Floats = np.asarray(records.equity, dtype=np.float64) * unit
        self.spans = [self._span(history) for history in histories]

    def _span(self, history: History) -> PriceSpan:
        first = history.first_row_from(int(self.open_times_ms[0]))
        end = history.first_row_from(int(self.open_times_ms[-1]) + 1)
        candles = history.candles.slice(first, end - first)
        prices = {name: candles[name].to_numpy() for name in ("open", "high", "low", "close")}
        tick = history.market.tick
        return PriceSpan(
            history.market.symbol, history.open_times_ms[first:end], prices, decimal_places(tick)
        )

    @cached_property
    def drawdown_percent(self) -> Floats:
        """How far equity is under its running peak, the initial capital included; 0 or negative."""
        peak = np.maximum(np.maximum.accumulate(self.equity), self.capital)
        return 100 * (self.equity / peak - 1)

    @cached_property
    def buy_and_hold(self) -> Floats | None:
        """What the capital would be worth, spread evenly over the symbols at their first open and kept."""
        growth = [self._growth(span) for span in self.spans if len(span.times_ms)]
        return self.capital * np.mean(growth, axis=0) if growth else None

    def _growth(self, span: PriceSpan) -> Floats:
        rows = span.close_rows(self.open_times_ms)
        return np.where(rows < 0, 1.0, span.prices["close"][rows] / span.prices["open"][0])

    @cached_property
    def days(self) -> tuple[Times, Floats]:
        """The UTC days of the run in ms, and the last equity of each."""
        days = self.open_times_ms // DAY_MS
        last = np.flatnonzero(np.diff(days, append=days[-1] + 1))
        return days[last] * DAY_MS, self.equity[last]

    @cached_property
    def daily_returns(self) -> Floats:
        """As fractions, between the last equities of UTC days, the initial capital before the first."""
        before = np.concatenate([[self.capital], self.days[1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(before[1:] / before[:-1] - 1)

    @cached_property
    def trades(self) -> pl.DataFrame:
        """Closed trades in the order in which they closed: times in ms, prices and profit in quote."""
        unit = 10.0**-self.result.rules.quote_decimals
        ticks = {market.symbol: float(market.tick) for market in self.result.rules.markets}
        rows = [
            (
                trade.symbol,
                trade.entry_time_ms,
                trade.exit_time_ms,
                trade.entry_price * ticks[trade.symbol],
                trade.exit_price * ticks[trade.symbol],
                trade.realized_profit * unit,
                100 * trade.realized_profit / trade.entry_notional,
                str(trade.exit_reason),
            )
            for trade in self.result.records.trades
        ]
        return pl.DataFrame(rows, schema=_TRADES, orient="row").with_columns(
            hours=(pl.col("exit_ms") - pl.col("entry_ms")) / HOUR_MS
        )

    def open_entry(self, symbol: str) -> tuple[int, float] | None:
        """Time in ms and price of the entry of a position that is still open."""
        position = self.result.records.open_positions.get(symbol)
        if position is None:
            return None
        market = next(market for market in self.result.rules.markets if market.symbol == symbol)
        return position.entry_time_ms, float(market.price(position.entry_price))


_TRADES = {
    "symbol": pl.String,
    "entry_ms": pl.Int64,
    "exit_ms": pl.Int64,
    "entry_price": pl.Float64,
    "exit_price": pl.Float64,
    "profit": pl.Float64,
    "percent": pl.Float64,
    "reason": pl.String,
}
