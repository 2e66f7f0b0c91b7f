"""Each day's line: its trades, its result, and the drawdown and Sharpe ratio of its closes.

A close belongs to the UTC day of its candle's open time, a trade to the day of its exit. What is
kept between two closes stands in the row, so that a day goes on where it was after a restart.
"""

import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from actors.persistence.columns import moment_of
from actors.persistence.units import Units
from trading.decisions import EquityMarked
from trading.ledger import Trade
from trading.timeframe import DAY_MS

YEAR_MS = 365 * DAY_MS


class Day(Struct):
    """One UTC day: money in quote units; `returns` between closes, their mean and squared deviations.

    `base` is the last equity before the day, the initial capital on the first. The mean and the
    sum of squares are updated by Welford's method (Technometrics 4, 1962).
    """

    start_ms: int
    base: int
    equity: int
    peak: int
    trades: int = 0
    winners: int = 0
    losers: int = 0
    result: int = 0
    max_drawdown_percent: float = 0.0
    returns: int = 0
    returns_mean: float = 0.0
    returns_squares: float = 0.0

    def mark(self, equity: int) -> None:
        """Count the equity at the next close."""
        if self.equity > 0:
            value = (equity - self.equity) / self.equity
            self.returns += 1
            off = value - self.returns_mean
            self.returns_mean += off / self.returns
            self.returns_squares += off * (value - self.returns_mean)
        self.equity = equity
        self.peak = max(self.peak, equity)
        if self.peak > 0:
            drawdown = 100 * (self.peak - equity) / self.peak
            self.max_drawdown_percent = max(self.max_drawdown_percent, drawdown)

    def book(self, profit: int) -> None:
        """Count a closed trade with its realised profit."""
        self.trades += 1
        self.winners += profit > 0
        self.losers += profit < 0
        self.result += profit

    def sharpe(self, timeframe_ms: int) -> float | None:
        """Mean over sample deviation (ddof 1) of the returns from close to close, per year.

        No risk-free rate; None with fewer than two returns or without any deviation.
        """
        if self.returns < 2 or self.returns_squares <= 0:
            return None
        deviation = math.sqrt(self.returns_squares / (self.returns - 1))
        return self.returns_mean / deviation * math.sqrt(YEAR_MS / timeframe_ms)


class Days:
    """The days that a batch of entries touches, the one it goes on with included."""

    def __init__(self, newest: Day | None, initial_capital: int) -> None:
        self._newest = newest
        self._initial_capital = initial_capital
        self.touched: dict[int, Day] = {}

    def mark(self, marked: EquityMarked) -> None:
        """Count a close."""
        self._day(marked.open_time_ms).mark(marked.equity)

    def book(self, trade: Trade) -> None:
        """Count a closed trade."""
        self._day(trade.exit_time_ms).book(trade.realized_profit)

    def _day(self, time_ms: int) -> Day:
        start_ms = time_ms - time_ms % DAY_MS
        if self._newest is None or self._newest.start_ms < start_ms:
            base = self._initial_capital if self._newest is None else self._newest.equity
            self._newest = Day(start_ms, base, base, base)
        self.touched[self._newest.start_ms] = self._newest
        return self._newest


def day_row(day: Day, timeframe_ms: int, units: Units) -> dict[str, Any]:
    """The day as a row of `daily_stats`, without its run."""
    return {
        "day": moment_of(day.start_ms).date(),
        "trades": day.trades,
        "winners": day.winners,
        "losers": day.losers,
        "result_quote": units.quote(day.result),
        "base": units.quote(day.base),
        "equity": units.quote(day.equity),
        "peak": units.quote(day.peak),
        "max_drawdown_percent": day.max_drawdown_percent,
        "sharpe": day.sharpe(timeframe_ms),
        "returns": day.returns,
        "returns_mean": day.returns_mean,
        "returns_squares": day.returns_squares,
    }


def day_of(row: Mapping[str, Any], units: Units) -> Day:
    """The day that `day_row` made the row of."""
    start = row["day"]
    return Day(
        start_ms=(start.toordinal() - moment_of(0).toordinal()) * DAY_MS,
        base=units.units(row["base"]),
        equity=units.units(row["equity"]),
        peak=units.units(row["peak"]),
        trades=row["trades"],
        winners=row["winners"],
        losers=row["losers"],
        result=units.units(row["result_quote"]),
        max_drawdown_percent=row["max_drawdown_percent"],
        returns=row["returns"],
        returns_mean=row["returns_mean"],
        returns_squares=row["returns_squares"],
    )
