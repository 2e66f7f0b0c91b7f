"""The job in vectorbt, by its default engine.

It acts on the candle of its signal, so the signals are moved one candle on and the price is the open. Its
stop is checked against open, high and low from the candle after the entry; 5 % are of the cash, fee
included; nothing is rounded to lots and ticks, and there is no daily limit or kill switch. Trials are made
one by one: as columns of one call they were slower.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import vectorbt as vbt
from vectorbt.portfolio.enums import StopEntryPrice

from benchmarks.job import ONE_PROCESS_TRIALS, the_job
from benchmarks.serving import Task, serve

JOB = the_job()


def tasks_on(file: Path) -> Mapping[str, Task]:
    """`loop`: signals given; `signals`: from candles on; `trial`: figures too; `trials`: twenty of them."""
    candles = series(file)
    given = signals(candles["close"], JOB.fast, JOB.slow)

    def simulated() -> Any:
        return portfolio(candles, *signals(candles["close"], JOB.fast, JOB.slow))

    def figures(fast: int, slow: int) -> Any:
        return portfolio(candles, *signals(candles["close"], fast, slow)).stats()

    return {
        "loop": Task(lambda: portfolio(candles, *given), left),
        "signals": Task(simulated, left),
        "trial": Task(lambda: [figures(JOB.fast, JOB.slow)], found),
        "trials": Task(lambda: [figures(*each) for each in ONE_PROCESS_TRIALS], found),
    }


def series(file: Path) -> dict[str, Any]:
    """The candles of a Parquet file by column."""
    table = pl.read_parquet(file)
    index = pd.DatetimeIndex(table["timestamp"].dt.replace_time_zone(None).to_numpy())
    return {name: pd.Series(table[name].to_numpy(), index) for name in ("open", "high", "low", "close")}


def signals(close: Any, fast: int, slow: int) -> tuple[Any, Any]:
    """Entries and exits at the candle after their cross."""
    averages = vbt.MA.run(close, fast), vbt.MA.run(close, slow)
    above, below = averages[0].ma_crossed_above(averages[1]), averages[0].ma_crossed_below(averages[1])
    return above.vbt.signals.fshift(1), below.vbt.signals.fshift(1)


def portfolio(candles: Mapping[str, Any], entries: Any, exits: Any) -> Any:
    """The simulated account."""
    return vbt.Portfolio.from_signals(
        **candles,
        entries=entries,
        exits=exits,
        price=candles["open"],
        size=JOB.size,
        size_type="percent",
        fees=JOB.fee,
        sl_stop=JOB.stop,
        stop_entry_price=StopEntryPrice.FillPrice,
        init_cash=JOB.capital,
        freq="1min",
    )


def left(made: Any) -> tuple[int, float]:
    """Closed trades and final value."""
    return int(made.trades.closed.count()), float(made.final_value())


def found(stats: Sequence[Any]) -> tuple[int, float]:
    """All closed trades, and the mean of the final values."""
    closed = sum(int(each["Total Closed Trades"]) for each in stats)
    return closed, sum(float(each["End Value"]) for each in stats) / len(stats)


if __name__ == "__main__":
    serve(tasks_on, f"vectorbt {vbt.__version__}")
