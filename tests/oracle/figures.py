"""The figures of rulebook 8, computed a second time with plain Python and exact fractions."""

import math
import statistics
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
HOUR_MS = 3_600_000

Rows = Sequence[Mapping[str, Any]]
Figures = dict[str, float | int | None]


def figures(
    equity: Rows,
    trades: Rows,
    candles: Mapping[str, Rows],
    *,
    initial_capital: Any,
    timeframe_ms: int,
) -> Figures:
    """Every figure of rulebook 8 by its name; None where it cannot be computed.

    `equity`: rows with time_ms and equity, `trades`: rows as in trades.csv with times in ms, `candles`: the
    rows of each symbol that are in the range of the run.
    """
    run = _Run(equity, trades, candles, Fraction(initial_capital), timeframe_ms)
    return {**run.returns(), **run.daily(), **run.drawdowns(), **run.of_trades(), **run.of_candles()}


def _ratio(above: Fraction | float | None, below: Fraction | float) -> float | None:
    return None if above is None or below == 0 else float(above / below)


def _mean(values: Sequence[Fraction]) -> Fraction | None:
    return sum(values, Fraction(0)) / len(values) if values else None


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


class _Run:
    def __init__(
        self,
        equity: Rows,
        trades: Rows,
        candles: Mapping[str, Rows],
        initial: Fraction,
        timeframe_ms: int,
    ) -> None:
        self.times = [row["time_ms"] for row in equity]
        self.equity = [Fraction(row["equity"]) for row in equity]
        self.trades = trades
        self.closed = [t for t in trades if t["exit_reason"] != "open"]
        self.candles = candles
        self.initial = initial
        self.timeframe_ms = timeframe_ms

    def returns(self) -> Figures:
        growth = self.equity[-1] / self.initial
        return {
            "total_return_percent": float((growth - 1) * 100),
            "cagr_percent": self.cagr(),
            "exposure_percent": 100 * len(self.exposed()) / len(self.times),
        }

    def cagr(self) -> float | None:
        span_ms = self.times[-1] + self.timeframe_ms - self.times[0]
        if span_ms < DAY_MS:
            return None
        try:
            return 100 * (math.pow(self.equity[-1] / self.initial, YEAR_MS / span_ms) - 1)
        except OverflowError:
            return None

    def exposed(self) -> set[int]:
        """The open times with a position open at the close."""
        held: set[int] = set()
        for trade in self.trades:
            end_ms = self.times[-1] if trade["exit_time"] is None else trade["exit_time"] - self.timeframe_ms
            begin = bisect_right(self.times, trade["entry_time"] - self.timeframe_ms)
            held.update(self.times[begin : bisect_right(self.times, end_ms)])
        return held

    def daily_returns(self) -> list[float]:
        last_of_day: dict[int, Fraction] = {}
        for time_ms, equity in zip(self.times, self.equity, strict=True):
            last_of_day[time_ms // DAY_MS] = equity
        ends = [self.initial, *last_of_day.values()]
        return [float(after / before - 1) for before, after in pairwise(ends)]

    def daily(self) -> Figures:
        returns = self.daily_returns()
        if len(returns) < 2:
            return {"volatility_percent": None, "sharpe": None, "sortino": None}
        year = math.sqrt(365)
        mean, deviation = statistics.mean(returns), statistics.stdev(returns)
        downside = math.sqrt(math.fsum(min(r, 0.0) ** 2 for r in returns) / len(returns))
        return {
            "volatility_percent": deviation * year * 100,
            "sharpe": _ratio(mean * year, deviation),
            "sortino": _ratio(mean * year, downside),
        }

    def drawdowns(self) -> Figures:
        deepest, longest_ms = self.deepest_and_longest()
        return {
            "max_drawdown_percent": float(deepest * 100),
            "max_drawdown_days": longest_ms / DAY_MS,
            "calmar": _ratio(self.cagr(), float(deepest * 100)),
        }

    def deepest_and_longest(self) -> tuple[Fraction, int]:
        """The deepest fall as a share of its peak, and the longest in ms.

        A peak is made by the first close that reaches it; a fall lasts until the close that is back at it.
        """
        peak, made_ms, under = self.initial, self.times[0], False
        deepest, longest_ms = Fraction(0), 0
        for time_ms, equity in zip(self.times, self.equity, strict=True):
            close_ms = time_ms + self.timeframe_ms
            if under or equity < peak:
                longest_ms = max(longest_ms, close_ms - made_ms)
            under = equity < peak
            deepest = max(deepest, 1 - equity / peak)
            if equity > peak:
                peak, made_ms = equity, close_ms
        return deepest, longest_ms

    def of_trades(self) -> Figures:
        profits = [Fraction(t["realized_profit"]) for t in self.closed]
        wins = sum((p for p in profits if p > 0), Fraction(0))
        losses = -sum((p for p in profits if p < 0), Fraction(0))
        entries = [Fraction(t["entry_price"]) * Fraction(t["amount"]) for t in self.closed]
        percents = [p / entry * 100 for p, entry in zip(profits, entries, strict=True)]
        hours = [Fraction(t["exit_time"] - t["entry_time"], HOUR_MS) for t in self.closed]
        return {
            "trades": len(self.closed),
            "win_rate_percent": _ratio(Fraction(100 * sum(p > 0 for p in profits)), len(profits)),
            "profit_factor": _ratio(wins, losses),
            "expectancy_quote": _number(_mean(profits)),
            "average_trade_percent": _number(_mean(percents)),
            "best_trade_percent": _number(max(percents, default=None)),
            "worst_trade_percent": _number(min(percents, default=None)),
            "average_holding_hours": _number(_mean(hours)),
            "longest_holding_hours": _number(max(hours, default=None)),
            "fees_quote": float(sum((_fees(t) for t in self.trades), Fraction(0))),
            "turnover_quote": float(sum((_turnover(t) for t in self.trades), Fraction(0))),
        }

    def of_candles(self) -> Figures:
        held = [
            Fraction(rows[-1]["close"]) / Fraction(rows[0]["open"]) - 1
            for rows in self.candles.values()
            if rows
        ]
        return {
            "buy_and_hold_percent": _number((_mean(held) or Fraction(0)) * 100),
            "candles": len(self.times),
            "candles_filled": sum(row["filled"] for rows in self.candles.values() for row in rows),
        }


def _fees(trade: Mapping[str, Any]) -> Fraction:
    return Fraction(trade["entry_fee"]) + Fraction(trade["exit_fee"] or 0)


def _turnover(trade: Mapping[str, Any]) -> Fraction:
    prices = Fraction(trade["entry_price"]) + Fraction(trade["exit_price"] or 0)
    return prices * Fraction(trade["amount"])
