"""What the statistics of luck need of a sweep, and their verdict."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from backtest.luck.excess import market_returns
from backtest.luck.null import NullBests
from backtest.luck.verdict import Luck, Trials, luck_of
from backtest.results import RunResult
from backtest.sweep.plan import SweepPlan


def luck_on(
    plan: SweepPlan,
    trials: pl.DataFrame,
    returns: Mapping[int, Sequence[float]],
    best: int,
    run: RunResult,
    null: NullBests | None = None,
) -> Luck:
    """The verdict on all trials that ran; `returns` are the daily ones that were kept, the best's too;
    `null` is what sweeps over permuted candles found."""
    market = market_returns(plan.study)
    numbers = list(returns)
    made = trials.select("sharpe", "error").filter(pl.col("error").is_null())
    return luck_of(
        Trials(
            sharpes=made["sharpe"].to_list(),
            daily_returns=matrix_of(list(returns.values()), len(market)),
            best=numbers.index(best),
            market_returns=market,
            trade_returns=_trade_returns(run),
            null=null,
        ),
        plan.seed,
    )


def matrix_of(returns: Sequence[Sequence[float]], days: int) -> np.typing.NDArray[np.float64]:
    """Days x trials; an account that lost everything has no returns after that, and they count as 0."""
    matrix = np.zeros((days, len(returns)))
    for column, each in enumerate(returns):
        matrix[: len(each), column] = each
    return matrix


def _trade_returns(run: RunResult) -> list[float]:
    """Each trade's realised profit over what was made and begun with before it."""
    found, capital = [], run.rules.initial_capital
    for trade in run.records.trades:
        found.append(trade.realized_profit / capital)
        capital += trade.realized_profit
    return found
