"""The oracle's figures against hand-computed ones (rulebook 8)."""

import math
from decimal import Decimal as D

import pytest

from tests.oracle.figures import DAY_MS, Figures, figures
from tests.oracle.scenario import HOUR_MS, MIDNIGHT_MS, flat, play, rows


def of(equities: list[int], timeframe_ms: int) -> Figures:
    curve = [{"time_ms": MIDNIGHT_MS + i * timeframe_ms, "equity": D(e)} for i, e in enumerate(equities)]
    return figures(curve, [], {"A": rows(flat(1, 2))}, initial_capital=100, timeframe_ms=timeframe_ms)


def test_daily_figures_of_three_days_are_the_hand_computed_ones() -> None:
    found = of([110, 99, 99], DAY_MS)
    # Returns 0.1, -0.1, 0: mean 0, sample deviation sqrt(0.02 / 2) = 0.1
    assert found["volatility_percent"] == pytest.approx(10 * math.sqrt(365))
    assert found["sharpe"] == pytest.approx(0, abs=1e-12)
    assert found["sortino"] == pytest.approx(0, abs=1e-12)
    # Peak 110 made at the first close, under it until the last: 2 days.
    assert found["max_drawdown_percent"] == pytest.approx(10)
    assert found["max_drawdown_days"] == 2
    assert found["cagr_percent"] == pytest.approx(100 * (0.99 ** (365 / 3) - 1))
    assert found["total_return_percent"] == pytest.approx(-1)


def test_sortino_divides_by_the_root_mean_square_of_the_losses() -> None:
    # Returns 0.2, -0.1: mean 0.05, downside sqrt(0.01 / 2)
    assert of([120, 108], DAY_MS)["sortino"] == pytest.approx(0.05 / math.sqrt(0.005) * math.sqrt(365))


@pytest.mark.parametrize(
    ("equities", "days"),
    [
        ([100, 101, 102], 0),  # never under the peak
        ([99, 100, 100], 2),  # under the initial capital from the first open to the second close
        ([110, 100, 105, 110, 110], 3),  # made at close 1, back at it at close 4
        ([110, 110, 100, 111], 3),  # the close that made the peak is the first of the two
        ([110, 100], 1),  # until the last close
    ],
)
def test_max_drawdown_days_runs_from_the_close_that_made_the_peak(equities: list[int], days: int) -> None:
    assert of(equities, DAY_MS)["max_drawdown_days"] == days


def test_figures_of_a_run_without_trades_are_null_where_they_cannot_be_computed() -> None:
    found = of([100, 100], HOUR_MS)
    nulls = {name for name, value in found.items() if value is None}
    daily = {"cagr_percent", "volatility_percent", "sharpe", "sortino", "calmar"}
    trades = {"win_rate_percent", "profit_factor", "expectancy_quote", "average_trade_percent"}
    trades |= {"best_trade_percent", "worst_trade_percent", "average_holding_hours", "longest_holding_hours"}
    assert nulls == daily | trades


def test_trade_figures_of_two_trades_and_an_open_one_are_the_hand_computed_ones() -> None:
    prices = [*flat(100, 2), *flat(120, 3), *flat(90, 3)]
    says = {0: "BUY", 1: "SELL", 3: "BUY", 4: "SELL", 6: "BUY"}
    result = play(prices, says, position_size_percent=D(10), stop_loss_percent=D(0))
    # 1: 1.0 from 100 to 120, +20, 1 h. 2: 0.8 (102 / 120) from 120 to 90, -24, 1 h. 3: 1.1 (99.6 / 90), open.
    found = figures(
        result.equity, result.trades, {"A": rows(prices)}, initial_capital=1000, timeframe_ms=HOUR_MS
    )
    assert (found["trades"], found["win_rate_percent"], found["expectancy_quote"]) == (2, 50, -2)
    assert found["profit_factor"] == pytest.approx(20 / 24)
    assert (found["best_trade_percent"], found["worst_trade_percent"]) == (20, -25)
    assert found["average_trade_percent"] == pytest.approx(-2.5)
    assert (found["average_holding_hours"], found["longest_holding_hours"]) == (1, 1)
    # 100 + 120, 96 + 72, 99
    assert (found["turnover_quote"], found["fees_quote"]) == (487, 0)
    # Open at the closes of candles 1, 4 and 7 of 8.
    assert found["exposure_percent"] == 37.5
    assert found["buy_and_hold_percent"] == pytest.approx(-10)
    assert (found["candles"], found["candles_filled"]) == (8, 0)
