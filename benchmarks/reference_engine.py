"""Candles a second of the reference engine, every record kept, beside a well-known backtesting library.

A seeded year of minutes; SMA 20/50 cross, 5 % of equity, 5 % stop, 0.1 % fee, next open. Each is run
several times in turn and its median counts. Run it on a quiet machine: `make bench`.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl

from backtest.reference import run_reference
from backtest.simulation import Simulation
from trading.exact_settings import rules_of
from trading.history import History
from trading.settings import CostSettings, EngineSettings, RiskSettings, Settings, StrategySettings
from trading.simulated_market import SimulatedMarket, simulated_candles
from trading.strategies.registry import made_strategies

YEAR_OF_MINUTES = 525_600
MINUTE_MS = 60_000
FIRST_OPEN_MS = 1_609_459_200_000  # 2021-01-01T00:00:00Z
FAST, SLOW = 20, 50


def year(candles: int) -> History:
    """A seeded minute history of a simulated market."""
    market = SimulatedMarket("BTC/USDT", seed=1, timeframe_ms=MINUTE_MS)
    return History(market.rules, MINUTE_MS, simulated_candles(market, FIRST_OPEN_MS, candles))


def run_ours(history: History) -> int:
    """The reference engine; how many trades it closed."""
    cross = StrategySettings(name="cross", type="sma_cross", params={"fast": FAST, "slow": SLOW})
    settings = Settings(
        engine=EngineSettings(symbols=(history.market.symbol,), timeframe="1m"),
        costs=CostSettings(fee_percent=Decimal("0.1"), slippage_percent=Decimal(0)),
        # Thousands of crosses pay more fees than the usual kill switch allows.
        risk=RiskSettings(kill_switch_percent=Decimal(100)),
        strategies=(cross,),
    )
    strategies = made_strategies(settings)
    rules = rules_of(settings, [history.market], strategies, MINUTE_MS)
    records = run_reference(
        Simulation([history], rules, strategies, FIRST_OPEN_MS), lambda _what, _done, _total: None
    )
    return len(records.trades)


def run_library(history: History) -> int:
    """The same rules in `backtesting`; how many trades it closed."""
    # It draws in a notebook when it is imported, and is slow to import.
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(moving_average, self.data.Close, FAST)
            self.slow = self.I(moving_average, self.data.Close, SLOW)

        def next(self) -> None:
            if crossover(self.fast, self.slow):
                self.buy(size=0.05, sl=self.data.Close[-1] * 0.95)
            elif crossover(self.slow, self.fast):
                self.position.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = Backtest(library_frame(history), Cross, cash=10_000, commission=0.001).run()
    return int(run["# Trades"])


def moving_average(close: Any, length: int) -> Any:
    """The simple moving average, NaN before `length` values."""
    return pl.Series(close).rolling_mean(length).to_numpy()


def library_frame(history: History) -> Any:
    """The library's candles; it deals in whole units only, so its unit is one lot."""
    candles = history.candles
    lot = float(history.market.lot)
    columns = {name.title(): candles[name].to_numpy() * lot for name in ("open", "high", "low", "close")}

    import pandas as pd

    index = pd.DatetimeIndex(candles["timestamp"].dt.replace_time_zone(None).to_numpy())
    return pd.DataFrame(columns | {"Volume": candles["volume"].to_numpy()}, index)


def seconds(run: Callable[[History], int], history: History) -> tuple[float, int]:
    """How long a run takes, and what it gives."""
    start = time.perf_counter()
    trades = run(history)
    return time.perf_counter() - start, trades


def main() -> None:
    """Prints candles a second for both, and the ratio of their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candles", type=int, default=YEAR_OF_MINUTES)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    history = year(options.candles)
    runs = {"autotrader reference engine": run_ours, "backtesting.py": run_library}
    timed: dict[str, list[tuple[float, int]]] = {name: [] for name in runs}
    for _ in range(options.repeats):
        for name, run in runs.items():
            timed[name].append(seconds(run, history))
    print(f"{options.candles:,} candles, SMA {FAST}/{SLOW} cross; median of {options.repeats}")
    medians = {name: statistics.median(each[0] for each in times) for name, times in timed.items()}
    for name, times in timed.items():
        spread = f"{min(times)[0]:.2f} to {max(times)[0]:.2f} s"
        speed = f"{options.candles / medians[name]:>10,.0f} candles/s"
        print(f"{name:<28}{speed}  {medians[name]:6.2f} s ({spread}), {times[0][1]:,} trades")
    ours, theirs = medians.values()
    print(f"ratio {theirs / ours:.2f}")


if __name__ == "__main__":
    main()
