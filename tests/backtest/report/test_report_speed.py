"""A year of minutes: the report is quick to make, small, and takes columns as arrays."""

import time
from pathlib import Path

import numpy as np
import polars as pl

from backtest.records import Records
from backtest.report.page import plotly_js
from backtest.report.run import write_run_report
from backtest.results import run_result
from tests.backtest.report.reports import read_report
from tests.support.runs import FIRST_OPEN_MS, rules_of
from trading.history import History
from trading.market import Market

CANDLES = 525_600
MINUTE_MS = 60_000
LONGEST_SECONDS = 2.0
LARGEST_BYTES = 6_000_000


def a_year() -> tuple[Records, History]:
    """Records with arrays in the place of lists, and a walk of the price; every vote's reasons differ."""
    random = np.random.default_rng(1)
    closes = 2_000_000 + np.cumsum(random.integers(-300, 301, CANDLES))
    times = FIRST_OPEN_MS + MINUTE_MS * np.arange(CANDLES)
    ticks = {"open": closes - 5, "high": closes + 90, "low": closes - 90, "close": closes}
    frame = pl.DataFrame(
        {
            "timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")),
            **{name: values / 100 for name, values in ticks.items()},
            **{f"{name}_ticks": values for name, values in ticks.items()},
            "volume": np.ones(CANDLES),
            "filled": np.zeros(CANDLES, dtype=np.bool_),
        }
    )
    records = Records()
    arrays = {"open_times_ms": times, "equity": closes * 10**7, "cash": closes * 10**7, "held": closes > 0}
    for name, values in arrays.items():
        setattr(records, name, values)
    records.held_prices = {"BTC/USDT": (int(closes[0]), int(closes[-1]))}
    records.outcomes["timestamp"] = times.tolist()
    records.outcomes["symbol"] = ["BTC/USDT"] * CANDLES
    vote = '[{{"strategy":"cross","side":"BUY","confidence":{:.6f},"weight":1.0,"reasons":["RSI \\"{}\\""]}}]'
    records.outcomes["votes"] = [vote.format(each % 97, each) for each in range(CANDLES)]
    return records, History(Market("BTC/USDT", rules_of().markets[0].tick), MINUTE_MS, frame)


def test_report_of_a_year_of_minutes_is_quick_and_small(tmp_path: Path) -> None:
    records, history = a_year()
    result = run_result(rules_of(("BTC/USDT",), timeframe_ms=MINUTE_MS), records, {})
    plotly_js()
    began = time.process_time()
    write_run_report(result, [history], tmp_path / "report.html")
    assert time.process_time() - began < LONGEST_SECONDS
    assert (tmp_path / "report.html").stat().st_size < LARGEST_BYTES
    voters = read_report(tmp_path / "report.html").section("voters")
    # Every 97th vote has confidence 0.
    assert f"cross{CANDLES:,}{CANDLES - 5_419:,}00{5_419:,}" in voters
