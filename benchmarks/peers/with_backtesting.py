"""The job in backtesting.py.

It fills at the next open too, but sets the stop when it decides, under the close before the entry; it deals
in whole units only, so that its unit is one lot; and it has no daily limit or kill switch.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import backtesting
import pandas as pd
import polars as pl
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

from benchmarks.job import the_job
from benchmarks.serving import Task, serve

JOB = the_job()
LOT = 0.00001


class Cross(Strategy):  # type: ignore[misc]
    """Buys when the fast average crosses over the slow one, closes when it crosses back."""

    def init(self) -> None:
        """Both averages."""
        self.fast = self.I(moving_average, self.data.Close, JOB.fast)
        self.slow = self.I(moving_average, self.data.Close, JOB.slow)

    def next(self) -> None:
        """One candle."""
        if crossover(self.fast, self.slow):
            self.buy(size=JOB.size, sl=self.data.Close[-1] * (1 - JOB.stop))
        elif crossover(self.slow, self.fast):
            self.position.close()


def tasks_on(file: Path) -> Mapping[str, Task]:
    """`trial`: signals, trades and all figures."""
    frame = lots(file)

    def run() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Backtest(frame, Cross, cash=JOB.capital, commission=JOB.fee).run()

    return {"trial": Task(run, lambda run: (int(run["# Trades"]), float(run["Equity Final [$]"])))}


def lots(file: Path) -> Any:
    """The candles of a Parquet file, priced for one lot."""
    table = pl.read_parquet(file)
    prices = {name.title(): table[name].to_numpy() * LOT for name in ("open", "high", "low", "close")}
    index = pd.DatetimeIndex(table["timestamp"].dt.replace_time_zone(None).to_numpy())
    return pd.DataFrame(prices | {"Volume": table["volume"].to_numpy()}, index)


def moving_average(close: Any, length: int) -> Any:
    """The simple moving average, NaN before `length` values."""
    return pd.Series(close).rolling(length).mean()


if __name__ == "__main__":
    serve(tasks_on, f"backtesting.py {backtesting.__version__}")
