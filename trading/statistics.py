"""The figures of a run (rulebook 8), from its equity at each close and its trades.

Equity and trades come in exact quote units; a figure is a float, or a Decimal where it is money.
A figure that cannot be computed is None, never 0 or infinite.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trading.ledger import Position, Trade
from trading.timeframe import DAY_MS

DAYS_A_YEAR = 365
HOUR_MS = 3_600_000
_LARGEST_INT64 = 2**63 - 1


class EquityCurve(Struct, frozen=True):
    """Equity in quote units at the close of each open time; `held` where a position was open."""

    open_times_ms: Sequence[int] | NDArray[np.int64]
    equity: Sequence[int] | NDArray[np.int64]
    held: Sequence[bool] | NDArray[np.bool_]
    timeframe_ms: int
    initial_capital: int


class Figures(Struct, frozen=True):
    """Every figure of rulebook 8 by its name; percentages in percent, money in quote."""

    total_return_percent: float
    cagr_percent: float | None
    volatility_percent: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown_percent: float
    max_drawdown_days: float
    calmar: float | None
    exposure_percent: float
    trades: int
    win_rate_percent: float | None
    profit_factor: float | None
    expectancy_quote: float | None
    average_trade_percent: float | None
    best_trade_percent: float | None
    worst_trade_percent: float | None
    average_holding_hours: float | None
    longest_holding_hours: float | None
    fees_quote: Decimal
    turnover_quote: Decimal
    buy_and_hold_percent: float | None
    candles: int
    candles_filled: int


class CurveFacts(Struct, frozen=True):
    """What the figures need of an equity curve: money in quote units, times in milliseconds.

    `daily_equity` are the last equities of the UTC days (by open time); `fallen` is the deepest fall from the
    running peak as a fraction, `under_ms` the longest time under one; `held` counts the closes with a
    position open, `candles` all of them.
    """

    first_open_ms: int
    last_close_ms: int
    initial_capital: int
    final_equity: int
    daily_equity: Sequence[int]
    fallen: float
    under_ms: int
    held: int
    candles: int


class TradeFacts(Struct, frozen=True):
    """What the figures need of the closed trades, one value each: profit and entry notional in quote units,
    holding time in ms; and of all fills, those of open positions too: fees and turnover in quote units."""

    realized_profit: NDArray[Any]
    entry_notional: NDArray[Any]
    held_ms: NDArray[np.int64]
    fees: int
    turnover: int


def figures(
    curve: CurveFacts,
    trades: TradeFacts,
    held_prices: Sequence[tuple[int, int]],
    candles_filled: int,
    quote_decimals: int,
) -> Figures:
    """All figures of a run with at least one candle.

    `held_prices` are each symbol's first open and last close in range, for buy and hold.
    """
    daily = daily_returns(curve.initial_capital, curve.daily_equity)
    growth = _cagr_percent(curve)
    fallen = 100 * curve.fallen
    won = trades.realized_profit > 0
    percents = (100.0 * trades.realized_profit / trades.entry_notional).tolist()
    count, held_ms = len(percents), exact_sum(trades.held_ms)
    return Figures(
        total_return_percent=100 * (curve.final_equity - curve.initial_capital) / curve.initial_capital,
        cagr_percent=growth,
        volatility_percent=_annual_percent(deviation(daily)),
        sharpe=sharpe(daily),
        sortino=sortino(daily),
        max_drawdown_percent=fallen,
        max_drawdown_days=curve.under_ms / DAY_MS,
        calmar=growth / fallen if growth is not None and fallen else None,
        exposure_percent=100 * curve.held / curve.candles,
        trades=count,
        win_rate_percent=100 * int(np.count_nonzero(won)) / count if count else None,
        profit_factor=_profit_factor(trades.realized_profit),
        expectancy_quote=_expectancy(trades.realized_profit, quote_decimals),
        average_trade_percent=_mean(percents),
        best_trade_percent=max(percents, default=None),
        worst_trade_percent=min(percents, default=None),
        average_holding_hours=held_ms / (count * HOUR_MS) if count else None,
        longest_holding_hours=int(trades.held_ms.max()) / HOUR_MS if count else None,
        fees_quote=_money(trades.fees, quote_decimals),
        turnover_quote=_money(trades.turnover, quote_decimals),
        buy_and_hold_percent=_mean([100 * (last - first) / first for first, last in held_prices]),
        candles=curve.candles,
        candles_filled=candles_filled,
    )


def curve_facts(curve: EquityCurve) -> CurveFacts:
    """The facts of a curve with at least one close."""
    times_ms, equity = np.asarray(curve.open_times_ms), exact_array(curve.equity)
    days = times_ms // DAY_MS
    fallen, under_ms = drawdown(curve)
    return CurveFacts(
        first_open_ms=int(times_ms[0]),
        last_close_ms=int(times_ms[-1]) + curve.timeframe_ms,
        initial_capital=curve.initial_capital,
        final_equity=int(equity[-1]),
        daily_equity=equity[np.append(days[1:] != days[:-1], True)].tolist(),
        fallen=fallen,
        under_ms=under_ms,
        held=int(np.count_nonzero(curve.held)),
        candles=len(equity),
    )


def trade_facts(trades: Sequence[Trade], open_positions: Iterable[Position]) -> TradeFacts:
    """The facts of closed trades and of what is still open."""
    still = list(open_positions)
    fees = sum(trade.entry_fee + trade.exit_fee for trade in trades) + sum(each.entry_fee for each in still)
    turnover = sum(trade.entry_notional + trade.exit_notional for trade in trades)
    return TradeFacts(
        realized_profit=exact_array([trade.realized_profit for trade in trades]),
        entry_notional=exact_array([trade.entry_notional for trade in trades]),
        held_ms=np.array([trade.exit_time_ms - trade.entry_time_ms for trade in trades], np.int64),
        fees=fees,
        turnover=turnover + sum(each.entry_notional for each in still),
    )


def exact_array(units: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
    """Whole numbers as an array: 64-bit where they fit, else of Python's own."""
    try:
        return np.asarray(units, np.int64)
    except OverflowError:
        return np.array(units, object)


def exact_sum(units: NDArray[Any]) -> int:
    """The sum of whole numbers, exact."""
    if units.dtype == object or not len(units):
        return sum(units.tolist())
    largest = max(abs(int(units.max())), abs(int(units.min())))
    return int(units.sum()) if largest * len(units) < _LARGEST_INT64 else sum(units.tolist())


def daily_returns(initial_capital: int, daily_equity: Sequence[int]) -> list[float]:
    """Returns between the last equities of UTC days, the initial capital before the first."""
    before = [initial_capital, *daily_equity]
    return [after / base - 1 for base, after in itertools.pairwise(before) if base]


def deviation(returns: Sequence[float]) -> float | None:
    """The sample standard deviation (ddof 1); None under two returns."""
    if len(returns) < 2:
        return None
    mean = math.fsum(returns) / len(returns)
    return math.sqrt(math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1))


def sharpe(returns: Sequence[float]) -> float | None:
    """Mean over sample deviation, a year, without a risk-free rate (Sharpe 1994)."""
    spread = deviation(returns)
    return _annual_ratio(returns, spread) if spread else None


def sortino(returns: Sequence[float]) -> float | None:
    """Mean over downside deviation sqrt(sum(min(r, 0)^2) / n), a year (Sortino and Price 1994)."""
    if len(returns) < 2:
        return None
    down = math.sqrt(math.fsum(min(each, 0.0) ** 2 for each in returns) / len(returns))
    return _annual_ratio(returns, down) if down else None


def drawdown(curve: EquityCurve) -> tuple[float, int]:
    """The deepest fall from the running peak as a fraction, and the longest time under one in ms.

    The initial capital, at the first open, is the first peak. Time runs from the close that made
    the peak to the close that is back at it, or to the last close.
    """
    equity = exact_array([curve.initial_capital, *curve.equity])
    times_ms = np.empty(len(equity), np.int64)
    times_ms[0] = curve.open_times_ms[0]
    times_ms[1:] = np.asarray(curve.open_times_ms) + curve.timeframe_ms
    peak = np.maximum.accumulate(equity)
    under = equity < peak
    rises = np.append(True, peak[1:] > peak[:-1])
    made_ms = times_ms[np.maximum.accumulate(np.where(rises, np.arange(len(equity)), 0))]
    # A time under a peak ends at the first close that is back at it, or at the last close.
    ends = np.flatnonzero(under[:-1] & ~under[1:]) + 1
    longest = max((times_ms[ends] - made_ms[ends - 1]).tolist(), default=0)
    if under[-1]:
        longest = max(longest, int(times_ms[-1] - made_ms[-1]))
    return float(((peak - equity) / peak).max()), longest


def drawdown_percents(curve: EquityCurve) -> NDArray[np.float64]:
    """How far under the running peak, in percent, the equity is at each close."""
    equity = exact_array(curve.equity)
    peak = np.maximum(np.maximum.accumulate(equity), curve.initial_capital)
    return np.asarray(100.0 * (peak - equity) / peak, np.float64)


def _cagr_percent(curve: CurveFacts) -> float | None:
    """(final / initial) ^ (365 d / span) - 1, in percent; None under one day or beyond a float."""
    span_ms = curve.last_close_ms - curve.first_open_ms
    if span_ms < DAY_MS:
        return None
    try:
        growth = (curve.final_equity / curve.initial_capital) ** (DAYS_A_YEAR * DAY_MS / span_ms)
    except OverflowError:
        return None
    return float(100 * (growth - 1))


def _annual_percent(daily_deviation: float | None) -> float | None:
    return None if daily_deviation is None else 100 * daily_deviation * math.sqrt(DAYS_A_YEAR)


def _annual_ratio(returns: Sequence[float], spread: float) -> float:
    return math.fsum(returns) / len(returns) / spread * math.sqrt(DAYS_A_YEAR)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _money(units: int, quote_decimals: int) -> Decimal:
    return Decimal(units).scaleb(-quote_decimals)


def _expectancy(realized_profit: NDArray[Any], quote_decimals: int) -> float | None:
    if not len(realized_profit):
        return None
    return float(exact_sum(realized_profit) / (len(realized_profit) * 10**quote_decimals))


def _profit_factor(realized_profit: NDArray[Any]) -> float | None:
    """What the winners made over what the losers lost."""
    won = exact_sum(realized_profit[realized_profit > 0])
    lost = -exact_sum(realized_profit[realized_profit < 0])
    return won / lost if lost else None
