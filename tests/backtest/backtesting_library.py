"""The PyPI library `backtesting` as a witness: an SMA cross with a stop, in the rulebook's terms.

Next open, one unit, no costs. Two of the library's habits are taken away: its stop is set under the entry
price, not under the close before, and an exit that waits for the open is not overtaken by the stop of the
same candle.
"""

import warnings
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

import pandas as pd

TICK = Decimal("0.00000001")
CASH = 1_000_000_000.0


class LibraryTrade(NamedTuple):
    """A closed trade: open times of the entry's and the exit's candle in ms, and prices."""

    entry_time_ms: int
    entry_price: float
    exit_time_ms: int
    exit_price: float
    stopped: bool


def cross_sides(closes: Sequence[Decimal], fast: int, slow: int) -> list[str]:
    """BUY, SELL or HOLD at each close by exact sums; HOLD until slow + 1 candles have closed."""
    sides = ["HOLD"] * len(closes)
    for i in range(slow, len(closes)):
        before = _difference(closes[i - slow : i], fast, slow)
        now = _difference(closes[i - slow + 1 : i + 1], fast, slow)
        if before <= 0 < now:
            sides[i] = "BUY"
        elif before >= 0 > now:
            sides[i] = "SELL"
    return sides


def _difference(closes: Sequence[Decimal], fast: int, slow: int) -> Decimal:
    """SMA(fast) - SMA(slow) of the last `slow` closes, times fast x slow."""
    return slow * sum(closes[-fast:], Decimal(0)) - fast * sum(closes, Decimal(0))


def library_trades(
    rows: Sequence[dict[str, Any]], sides: Sequence[str], stop_percent: Decimal
) -> list[LibraryTrade]:
    """The closed trades that the library makes of these candles (time_ms, open, high, low, close)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = _run(_frame(rows, sides, stop_percent))
    return [
        LibraryTrade(
            rows[t.EntryBar]["time_ms"],
            float(t.EntryPrice),
            rows[t.ExitBar]["time_ms"],
            float(t.ExitPrice),
            not pd.isna(t.SL),
        )
        for t in stats["_trades"].sort_values("EntryBar").itertuples()
    ]


def _frame(rows: Sequence[dict[str, Any]], sides: Sequence[str], stop_percent: Decimal) -> pd.DataFrame:
    """The library's columns, the sides, and the stop under the next open, floored to the tick."""
    opens = [row["open"] for row in rows[1:]] + [rows[-1]["close"]]
    stops = [(price * (1 - stop_percent / 100)).quantize(TICK, ROUND_FLOOR) for price in opens]
    columns = {name.title(): [float(row[name]) for row in rows] for name in ("open", "high", "low", "close")}
    index = pd.to_datetime([row["time_ms"] for row in rows], unit="ms")
    return pd.DataFrame(
        columns | {"Volume": 1.0, "Side": list(sides), "Stop": list(map(float, stops))}, index
    )


def _run(frame: pd.DataFrame) -> Any:
    # The library draws in a notebook when it is imported, and is slow to import.
    from backtesting import Backtest, Strategy

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            side = self.data.Side[-1]
            if side == "BUY" and not self.position:
                self.buy(size=1, sl=self.data.Stop[-1])
            elif side == "SELL":
                for trade in self.trades:
                    trade.sl = None
                    trade.close()

    return Backtest(frame, Cross, cash=CASH).run()
