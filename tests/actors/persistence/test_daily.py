"""Daily lines against a naive recomputation from the equity and trades of the run."""

import statistics
from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.persistence import tables
from actors.persistence.daily import Day
from actors.persistence.reader import Reader
from actors.persistence.store import Store
from tests.actors.persistence.conftest import PAPER
from tests.support.runs import HOUR_MS, RandomRun, batches, rules_of
from trading.decisions import DayClosed
from trading.timeframe import DAY_MS

ALL = 1_000_000


def naive(reader: Reader, run_id: int, timeframe_ms: int) -> dict[date, dict[str, Any]]:
    """What each day's line must be, day by day from all closes and trades."""
    closes, results = defaultdict(list), defaultdict(list)
    for row in reversed(reader.newest(tables.equity, run_id, ALL)):
        closes[day_of(row["open_time"])].append(row["equity"])
    for row in reader.newest(tables.trades, run_id, ALL):
        results[day_of(row["exit_time"])].append(row["realized_profit"])
    lines, base = {}, Decimal(10_000)
    for day, values in closes.items():
        profits = results[day]
        lines[day] = {
            "trades": len(profits),
            "winners": sum(profit > 0 for profit in profits),
            "losers": sum(profit < 0 for profit in profits),
            "result_quote": sum(profits, Decimal(0)),
            "base": base,
            "equity": values[-1],
            "max_drawdown_percent": drawdown([base, *values]),
            "sharpe": sharpe([base, *values], timeframe_ms),
        }
        base = values[-1]
    return lines


def day_of(time_ms: int) -> date:
    """The UTC day of a time."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + time_ms // DAY_MS)


def drawdown(values: list[Decimal]) -> Any:
    """The deepest fall from any earlier value, in percent."""
    falls = [
        100 * (Fraction(high) - Fraction(low)) / Fraction(high)
        for index, high in enumerate(values)
        for low in values[index:]
    ]
    return pytest.approx(float(max(falls)), rel=1e-12)


def sharpe(values: list[Decimal], timeframe_ms: int) -> Any:
    """Mean over sample deviation of the returns, per year of 365 days."""
    returns = [float(Fraction(b) / Fraction(a) - 1) for a, b in pairwise(values)]
    if len(returns) < 2 or statistics.stdev(returns) == 0:
        return None
    ratio = statistics.mean(returns) / statistics.stdev(returns)
    return pytest.approx(ratio * (365 * DAY_MS / timeframe_ms) ** 0.5, rel=1e-6)


@pytest.mark.parametrize(("hours", "batch"), [(1, 50), (4, 1), (24, 10_000)])
def test_daily_stats_equal_those_of_all_closes_and_trades(
    store: Store, reader: Reader, hours: int, batch: int
) -> None:
    source = RandomRun(rules_of(timeframe_ms=hours * HOUR_MS), seed=31 + hours)
    run = store.begin(PAPER, source.started)
    entries = source.entries(120)
    for group in batches(entries, batch):
        store.append(run.id, group)
    wanted = naive(reader, run.id, hours * HOUR_MS)
    rows = {row["day"]: row for row in reader.newest(tables.daily_stats, run.id, ALL)}
    assert {day: {name: rows[day][name] for name in line} for day, line in wanted.items()} == wanted
    assert len(rows) == len(wanted) == hours * 5
    assert sum(row["trades"] for row in rows.values()) > 5


def test_daily_stats_hold_the_engine_s_day_bases(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=41)
    run = store.begin(PAPER, source.started)
    entries = source.entries(24 * 6)
    store.append(run.id, entries)
    closed = [each for entry in entries for each in entry.decisions if isinstance(each, DayClosed)]
    rows = list(reversed(reader.newest(tables.daily_stats, run.id, ALL)))
    scale = 10**run.rules.quote_decimals
    assert [(row["base"] * scale, row["equity"] * scale) for row in rows] == [
        (each.base, each.equity) for each in closed
    ]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 10**24), min_size=1, max_size=30), st.integers(1, 10**24))
def test_day_of_any_closes_has_the_naive_figures(closes: list[int], base: int) -> None:
    day = Day(0, base, base, base)
    for equity in closes:
        day.mark(equity)
    values = [Decimal(value) for value in (base, *closes)]
    assert day.max_drawdown_percent == drawdown(values)
    ratio = day.sharpe(HOUR_MS)
    assert ratio is None or ratio == pytest.approx(day.returns_mean / stdev(values) * 8760**0.5, rel=1e-3)


def stdev(values: list[Decimal]) -> float:
    """The sample deviation of the returns."""
    returns = [Fraction(b) / Fraction(a) - 1 for a, b in pairwise(values)]
    return float(statistics.stdev(returns))


@pytest.mark.parametrize(("closes", "sharpe_of_day"), [([100], None), ([100, 100, 100], None), ([], None)])
def test_day_without_deviation_has_no_sharpe(closes: list[int], sharpe_of_day: None) -> None:
    day = Day(0, 100, 100, 100)
    for equity in closes:
        day.mark(equity)
    assert day.sharpe(HOUR_MS) is sharpe_of_day


def test_day_at_zero_equity_counts_no_return_and_a_whole_drawdown() -> None:
    day = Day(0, 100, 100, 100)
    for equity in (0, 50, -10):
        day.mark(equity)
    assert (day.returns, day.max_drawdown_percent) == (2, 110.0)
