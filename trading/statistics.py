"""The figures of a run (rulebook 8), from its equity at each close and its trades.

Equity and trades come in exact quote units; a figure is a float, or a Decimal where it is money.
A figure that cannot be computed is None, never 0 or infinite.
"""

import itertools
import math
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trading.ledger import Position, Trade
from trading.timeframe import DAY_MS

DAYS_A_YEAR = 365
HOUR_MS = 3_600_000


class EquityCurve(Struct, frozen=True):
    """Equity in quote units at the close of each open time; `held` where a position was open."""

    open_times_ms: Sequence[int]
    equity: Sequence[int]
    held: Sequence[bool]
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


def figures(
    curve: EquityCurve,
    trades: Sequence[Trade],
    open_positions: Sequence[Position],
    held_prices: Sequence[tuple[int, int]],
    candles_filled: int,
    quote_decimals: int,
) -> Figures:
    """All figures of a run with at least one candle.

    `held_prices` are each symbol's first open and last close in range, for buy and hold.
    """
    daily = daily_returns(curve)
    fallen, fallen_ms = drawdown(curve)
    growth = _cagr_percent(curve)
    percents = [100 * trade.realized_profit / trade.entry_notional for trade in trades]
    hours = [(trade.exit_time_ms - trade.entry_time_ms) / HOUR_MS for trade in trades]
    return Figures(
        total_return_percent=100 * (curve.equity[-1] - curve.initial_capital) / curve.initial_capital,
        cagr_percent=growth,
        volatility_percent=_annual_percent(deviation(daily)),
        sharpe=sharpe(daily),
        sortino=sortino(daily),
        max_drawdown_percent=fallen,
        max_drawdown_days=fallen_ms / DAY_MS,
        calmar=growth / fallen if growth is not None and fallen else None,
        exposure_percent=100 * sum(curve.held) / len(curve.held),
        trades=len(trades),
        win_rate_percent=_mean([100.0 * (trade.realized_profit > 0) for trade in trades]),
        profit_factor=_profit_factor(trades),
        expectancy_quote=_expectancy(trades, quote_decimals),
        average_trade_percent=_mean(percents),
        best_trade_percent=max(percents, default=None),
        worst_trade_percent=min(percents, default=None),
        average_holding_hours=_mean(hours),
        longest_holding_hours=max(hours, default=None),
        fees_quote=_money(
            sum(trade.entry_fee + trade.exit_fee for trade in trades)
            + sum(position.entry_fee for position in open_positions),
            quote_decimals,
        ),
        turnover_quote=_money(
            sum(trade.entry_notional + trade.exit_notional for trade in trades)
            + sum(position.entry_notional for position in open_positions),
            quote_decimals,
        ),
        buy_and_hold_percent=_mean([100 * (last - first) / first for first, last in held_prices]),
        candles=len(curve.equity),
        candles_filled=candles_filled,
    )


def daily_returns(curve: EquityCurve) -> list[float]:
    """Returns between the last equities of UTC days, the initial capital before the first."""
    closes = {
        time_ms // DAY_MS: equity for time_ms, equity in zip(curve.open_times_ms, curve.equity, strict=True)
    }
    before = [curve.initial_capital, *closes.values()]
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
    """The deepest fall from the running peak in percent, and the longest time under one in ms.

    The initial capital, at the first open, is the first peak. Time runs from the close that made
    the peak to the close that is back at it, or to the last close.
    """
    peak, peak_ms = curve.initial_capital, curve.open_times_ms[0]
    deepest, longest, under, close_ms = 0.0, 0, False, peak_ms
    for open_time_ms, equity in zip(curve.open_times_ms, curve.equity, strict=True):
        close_ms = open_time_ms + curve.timeframe_ms
        if equity >= peak:
            if under:
                longest = max(longest, close_ms - peak_ms)
            under = False
            if equity > peak:
                peak, peak_ms = equity, close_ms
        else:
            under = True
            deepest = max(deepest, (peak - equity) / peak)
    if under:
        longest = max(longest, close_ms - peak_ms)
    return 100 * deepest, longest


def drawdown_percents(curve: EquityCurve) -> list[float]:
    """How far under the running peak, in percent, the equity is at each close."""
    peak, fallen = curve.initial_capital, []
    for equity in curve.equity:
        peak = max(peak, equity)
        fallen.append(100 * (peak - equity) / peak)
    return fallen


def _cagr_percent(curve: EquityCurve) -> float | None:
    """(final / initial) ^ (365 d / span) - 1, in percent; None under one day or beyond a float."""
    span_ms = curve.open_times_ms[-1] + curve.timeframe_ms - curve.open_times_ms[0]
    if span_ms < DAY_MS:
        return None
    try:
        growth = (curve.equity[-1] / curve.initial_capital) ** (DAYS_A_YEAR * DAY_MS / span_ms)
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


def _expectancy(trades: Sequence[Trade], quote_decimals: int) -> float | None:
    if not trades:
        return None
    profit = sum(trade.realized_profit for trade in trades)
    return float(profit / (len(trades) * 10**quote_decimals))


def _profit_factor(trades: Sequence[Trade]) -> float | None:
    """What the winners made over what the losers lost."""
    won = sum(trade.realized_profit for trade in trades if trade.realized_profit > 0)
    lost = -sum(trade.realized_profit for trade in trades if trade.realized_profit < 0)
    return won / lost if lost else None
