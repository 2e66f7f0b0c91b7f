"""The oracle: rulebook 1 (gaps), 3, 4, 5, 6 and 8 read sentence by sentence, slow and exact.

It shares no code with the product. Every amount of money is a Fraction.
"""

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.oracle.account import Candles, Commands, Row
from tests.oracle.books import EXIT_RANK, Order, Result, open_trade
from tests.oracle.fills import Fills
from tests.oracle.money import down, exact_decimal, up
from tests.oracle.vote import BUY, SELL, Answer, Signals, outcome

DAY_MS = 86_400_000
MINUTE_MS = 60_000

DEFAULTS: dict[str, Any] = {
    "fee_percent": Decimal("0.1"),
    "slippage_percent": Decimal("0.05"),
    "confidence_threshold": Decimal(50),
    "quorum": Decimal("0.5"),
    "position_size_percent": Decimal(5),
    "stop_loss_percent": Decimal(5),
    "trailing_stop_percent": Decimal(0),
    "take_profit_percent": Decimal(0),
    "cooldown_candles_after_stop": 0,
    "daily_loss_limit_percent": Decimal(15),
    "kill_switch_percent": Decimal(50),
    "max_drawdown_percent": Decimal(0),
    "min_order_notional_quote": Decimal(10),
    "max_open_positions": 5,
    "max_exposure_percent": Decimal(100),
    "max_orders_per_minute": 30,
    "max_gap_candles": 60,
}


def simulate(
    candles: Candles,
    signals: Signals,
    settings: Mapping[str, Any],
    *,
    start_ms: int | None = None,
    commands: Commands | None = None,
    detail: Candles | None = None,
) -> Result:
    """Trade the signals on the candles.

    `candles[symbol]`: rows {time_ms, open, high, low, close, volume, filled}, holes filled from the symbol's
    first to its last candle; the order of the symbols is the order of the settings. Rows before `start_ms`
    count for holes and warm-up only. `signals`: (strategy, symbol, time_ms) to (side, confidence); what is
    missing is absent. `settings`: initial_capital, timeframe_ms, markets {symbol: (tick, lot, min_notional)},
    strategies [{name, weight, enabled, valid_candles, warmup_candles}] and, where they differ from DEFAULTS,
    the settings by name. `commands`: close time to commands given right after step 3 of that close: "pause",
    "resume", "kill", "reset_kill", "close_all", ("close", symbol). `detail`: finer candles, real rows only.
    """
    return Simulation(candles, signals, {**DEFAULTS, **settings}, commands, detail).run(start_ms)


class Simulation(Fills):
    """The order of events in one run, and step 3 of rulebook 5."""

    def run(self, start_ms: int | None) -> Result:
        """All open times in order."""
        times = sorted({time_ms for rows in self.rows.values() for time_ms in rows})
        first_ms = next(t for t in times if start_ms is None or t >= start_ms)
        self.next_midnight_ms = _midnight_after(first_ms)
        for time_ms in times:
            here = {s: self.rows[s][time_ms] for s in self.symbols if time_ms in self.rows[s]}
            self.count_holes(here)
            if time_ms >= first_ms:
                self.at_open(time_ms, here)
                self.inside(time_ms, here)
                self.at_close(time_ms, here)
        self.report_open_positions()
        return self.result

    def count_holes(self, here: dict[str, Row]) -> None:
        """Rulebook 1: after a long hole, as many real candles must close as the longest warm-up."""
        for symbol, row in here.items():
            self.closed_candles[symbol] += 1
            if row["filled"]:
                self.hole[symbol] += 1
                continue
            if self.hole[symbol] > self.settings["max_gap_candles"]:
                self.real_candles_to_wait[symbol] = self.voters.longest_warmup
            self.hole[symbol] = 0
            self.real_candles_to_wait[symbol] = max(0, self.real_candles_to_wait[symbol] - 1)

    def at_close(self, time_ms: int, here: dict[str, Row]) -> None:
        """Mark, kill switch, day, day's loss, trailing stops, vote and decide, then commands."""
        close_ms = time_ms + self.settings["timeframe_ms"]
        for symbol, row in here.items():
            self.marks[symbol] = row["close"]
        self.test_kill_switch(close_ms)
        if close_ms >= self.next_midnight_ms:
            self.day_base, self.blocked = self.equity, False
            self.next_midnight_ms = _midnight_after(close_ms)
        if self.day_base - self.equity >= self.share("daily_loss_limit_percent") * self.day_base:
            self.blocked = True
        for symbol in here:
            self.raise_trailing_stop(symbol)
        for symbol in self.symbols:
            if symbol in here:
                self.vote_and_decide(symbol, here[symbol], close_ms)
        for command in self.commands.get(close_ms, ()):
            self.obey(command, close_ms)
        self.record_equity(time_ms)

    def test_kill_switch(self, close_ms: int) -> None:
        """The loss from the reference, or the drawdown from the peak."""
        self.peak = max(self.peak, self.equity)
        lost = self.reference - self.equity >= self.share("kill_switch_percent") * self.reference
        drawdown = self.share("max_drawdown_percent")
        fallen = drawdown > 0 and self.peak - self.equity >= drawdown * self.peak
        if (lost or fallen) and not self.killed:
            self.kill(close_ms)

    def kill(self, close_ms: int) -> None:
        """Cancel waiting buys, sell everything, refuse entries until the reset."""
        self.killed = True
        self.leave_all("kill_switch", close_ms)

    def leave_all(self, reason: str, close_ms: int) -> None:
        """Cancel every waiting buy and sell every position."""
        for symbol in self.symbols:
            self.leave(symbol, reason, close_ms)

    def leave(self, symbol: str, reason: str, close_ms: int) -> None:
        """Cancel the symbol's waiting buy and sell its position."""
        if symbol in self.waiting_buys:
            self.cancel_buy(symbol, reason)
        if symbol in self.positions:
            self.want_exit(symbol, reason, close_ms, [])

    def want_exit(self, symbol: str, reason: str, close_ms: int, votes: list[Answer]) -> None:
        """One waiting exit a symbol; the first reason of the ranking stays."""
        waiting = self.waiting_sells.get(symbol)
        if waiting is None:
            amount = self.positions[symbol].amount
            order = Order(symbol, SELL, reason, close_ms, amount, votes=votes)
            self.waiting_sells[symbol] = order
            self.result.orders.append(order)
        else:
            waiting.reason = min(waiting.reason, reason, key=EXIT_RANK.index)

    def raise_trailing_stop(self, symbol: str) -> None:
        """The stop follows the highest close since the entry, never down."""
        position = self.positions.get(symbol)
        if position is None or self.number("trailing_stop_percent") == 0:
            return
        position.highest_close = max(position.highest_close, self.marks[symbol])
        price = position.highest_close * (1 - self.share("trailing_stop_percent"))
        position.stop = max(position.stop or Fraction(0), down(price, self.rules[symbol].tick))

    def vote_and_decide(self, symbol: str, row: Row, close_ms: int) -> None:
        """Rulebook 3 and 4 for one symbol at one close."""
        votes = self.voters.answers(symbol, row["time_ms"], self.closed_candles[symbol])
        side = outcome(
            votes, self.voters.enabled_weight, self.number("confidence_threshold"), self.number("quorum")
        )
        verdict, reason = "none", ""
        if side == SELL and symbol in self.positions and symbol not in self.waiting_sells:
            self.want_exit(symbol, "signal", close_ms, votes)
            verdict = "approved"
        elif side == BUY and symbol not in self.positions and symbol not in self.waiting_buys:
            reason = self.enter(symbol, row, close_ms, votes)
            verdict = "refused" if reason else "approved"
        self.result.outcomes.append(
            {
                "time_ms": row["time_ms"],
                "symbol": symbol,
                "outcome": side,
                "verdict": verdict,
                "reason": reason,
                "votes": votes,
            }
        )

    def enter(self, symbol: str, row: Row, close_ms: int, votes: list[Answer]) -> str:
        """Size an entry and send it; gives the reason when it is refused."""
        price = up(row["close"] * (1 + self.share("slippage_percent")), self.rules[symbol].tick)
        budget = self.share("position_size_percent") * self.equity
        by_size = down(budget / price, self.rules[symbol].lot)
        amount = self.largest_amount(symbol, price, by_size, self.free_cash())
        reason = self.refusal(symbol, row, close_ms, price, amount)
        if not reason:
            order = Order(symbol, BUY, "signal", close_ms, amount, price, votes)
            self.waiting_buys[symbol] = order
            self.result.orders.append(order)
            self.entries_sent_ms.append(close_ms)
        return reason

    def refusal(self, symbol: str, row: Row, close_ms: int, price: Fraction, amount: Fraction) -> str:
        """The first reason to refuse an entry, or nothing."""
        held = len(self.positions) + len(self.waiting_buys)
        exposure = self.exposure() + amount * self.marks[symbol]
        sent = sum(close_ms - sent_ms < MINUTE_MS for sent_ms in self.entries_sent_ms)
        tests = (
            ("paused", self.paused),
            ("killed", self.killed),
            ("daily_loss", self.blocked),
            ("stale", row["filled"] or self.real_candles_to_wait[symbol] > 0),
            ("cooldown", row["time_ms"] < self.cooldown_until_ms[symbol]),
            ("max_open_positions", held >= self.settings["max_open_positions"]),
            ("max_exposure", exposure > self.share("max_exposure_percent") * self.equity),
            ("max_orders_per_minute", sent >= self.settings["max_orders_per_minute"]),
            ("min_notional", self.too_small(symbol, price, amount)),
        )
        return next((reason for reason, holds in tests if holds), "")

    def exposure(self) -> Fraction:
        """Positions and waiting buys at their last closes."""
        held = [(s, p.amount) for s, p in self.positions.items()]
        waiting = [(s, o.amount) for s, o in self.waiting_buys.items()]
        return sum((self.marks[s] * amount for s, amount in held + waiting), Fraction(0))

    def too_small(self, symbol: str, price: Fraction, amount: Fraction) -> bool:
        """Whether the entry is under a minimum at its sizing price or at its stop."""
        stop = self.stop_under(symbol, price)
        prices = [price] if stop is None else [price, stop]
        return amount == 0 or any(self.under_minimum(symbol, p * amount) for p in prices)

    def free_cash(self) -> Fraction:
        """Cash less what waiting buys will cost, fee included, at their sizing price."""
        costs = [self.cost(s, o.sizing_price or Fraction(0), o.amount) for s, o in self.waiting_buys.items()]
        return self.cash - sum(costs, Fraction(0))

    def obey(self, command: str | tuple[str, str], close_ms: int) -> None:
        """An operator's command, right after the decisions of this close."""
        match command:
            case "pause" | "resume":
                self.paused = command == "pause"
            case "kill" if not self.killed:
                self.kill(close_ms)
            case "reset_kill" if self.killed and not self.positions:
                self.killed = False
                self.reference = self.peak = self.equity
            case "close_all":
                self.leave_all("close_all", close_ms)
            case ("close", symbol):
                self.leave(symbol, "close_all", close_ms)

    def record_equity(self, time_ms: int) -> None:
        """One row an open time."""
        self.highest_equity = max(self.highest_equity, self.equity)
        self.result.equity.append(
            {
                "time_ms": time_ms,
                "equity": exact_decimal(self.equity),
                "cash": exact_decimal(self.cash),
                "drawdown_percent": float((1 - self.equity / self.highest_equity) * 100),
                "realised": self.realised,
                "day_base": self.day_base,
                "peak": self.peak,
                "reference": self.reference,
                "blocked": self.blocked,
                "killed": self.killed,
                "paused": self.paused,
                "positions": [asdict(p) | {"mark": self.marks[s]} for s, p in self.positions.items()],
            }
        )

    def report_open_positions(self) -> None:
        """Open positions close the list; rows by entry time, then the order of the settings."""
        self.result.trades.extend(open_trade(p) for p in self.positions.values())
        self.result.trades.sort(key=lambda t: (t["entry_time"], self.symbols.index(t["symbol"])))


def _midnight_after(time_ms: int) -> int:
    return (time_ms // DAY_MS + 1) * DAY_MS
