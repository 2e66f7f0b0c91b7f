"""The oracle's account: the inputs made exact, the state of a run, and what a purchase costs (rulebook 2)."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from tests.oracle.books import CANCELLED, Order, Position, Result
from tests.oracle.money import Rules, fee, largest_count
from tests.oracle.vote import Signals, Voters

Candles = Mapping[str, Sequence[Mapping[str, Any]]]
Commands = Mapping[int, Sequence[str | tuple[str, str]]]
Row = dict[str, Any]


class Account:
    """The state of one run."""

    def __init__(
        self,
        candles: Candles,
        signals: Signals,
        settings: Mapping[str, Any],
        commands: Commands | None = None,
        detail: Candles | None = None,
    ) -> None:
        self.settings = settings
        self.symbols = list(candles)
        self.rows = {s: {row["time_ms"]: _exact(row) for row in rows} for s, rows in candles.items()}
        self.rules = {s: Rules(*(Fraction(v) for v in settings["markets"][s])) for s in self.symbols}
        self.voters = Voters(settings["strategies"], signals)
        self.commands: Commands = commands or {}
        self.detail = {s: self._grouped(s, rows) for s, rows in (detail or {}).items()}
        self.result = Result()

        self.cash = self.number("initial_capital")
        self.realised = Fraction(0)
        self.positions: dict[str, Position] = {}
        self.marks: dict[str, Fraction] = {}
        self.waiting_buys: dict[str, Order] = {}
        self.waiting_sells: dict[str, Order] = {}
        self.entries_sent_ms: list[int] = []

        self.closed_candles = dict.fromkeys(self.symbols, 0)
        self.hole = dict.fromkeys(self.symbols, 0)
        self.real_candles_to_wait = dict.fromkeys(self.symbols, 0)
        self.cooldown_until_ms = dict.fromkeys(self.symbols, 0)

        self.reference = self.peak = self.day_base = self.highest_equity = self.cash
        self.next_midnight_ms = 0
        self.blocked = self.killed = self.paused = False

    def number(self, name: str) -> Fraction:
        """A setting as an exact number."""
        return Fraction(self.settings[name])

    def share(self, name: str) -> Fraction:
        """A setting in percent as a share of one."""
        return self.number(name) / 100

    @property
    def equity(self) -> Fraction:
        """Cash plus every position at its mark."""
        return self.cash + sum((p.amount * self.marks[s] for s, p in self.positions.items()), Fraction(0))

    def _grouped(self, symbol: str, rows: Sequence[Mapping[str, Any]]) -> dict[int, list[Row]]:
        """Finer candles by the open time of the candle that they are inside."""
        first, step = min(self.rows[symbol]), self.settings["timeframe_ms"]
        result: dict[int, list[Row]] = {}
        for row in rows:
            result.setdefault(first + (row["time_ms"] - first) // step * step, []).append(_exact(row))
        return result

    def under_minimum(self, symbol: str, notional: Fraction) -> bool:
        """Under the market's minimum or the settings'."""
        return notional < max(self.rules[symbol].min_notional, self.number("min_order_notional_quote"))

    def cost(self, symbol: str, price: Fraction, amount: Fraction) -> Fraction:
        """Notional plus fee of a buy."""
        return price * amount + fee(price * amount, self.number("fee_percent"), self.rules[symbol])

    def largest_amount(self, symbol: str, price: Fraction, limit: Fraction, cash: Fraction) -> Fraction:
        """The largest amount on the lot, at most the limit, that the cash pays with its fee."""
        lot = self.rules[symbol].lot
        fits = lambda count: self.cost(symbol, price, count * lot) <= cash  # noqa: E731
        return largest_count(math.floor(limit / lot), fits) * lot

    def cancel_buy(self, symbol: str, reason: str) -> None:
        """End a waiting buy unfilled."""
        order = self.waiting_buys.pop(symbol)
        order.status, order.status_reason = CANCELLED, reason


def _exact(row: Mapping[str, Any]) -> Row:
    prices = {name: Fraction(row[name]) for name in ("open", "high", "low", "close")}
    return prices | {"time_ms": row["time_ms"], "filled": row["filled"]}
