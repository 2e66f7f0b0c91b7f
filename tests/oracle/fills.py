"""Steps 1 and 2 of an open time: how the oracle fills orders, stops and targets (rulebook 5)."""

from fractions import Fraction
from typing import Any

from tests.oracle.account import Account, Row
from tests.oracle.books import FILLED, REFUSED, Position, closed_trade
from tests.oracle.money import down, exact_decimal, fee, up
from tests.oracle.vote import BUY, SELL


class Fills(Account):
    """An account whose waiting orders, stops and targets fill on candles."""

    def at_open(self, time_ms: int, here: dict[str, Row]) -> None:
        """Waiting sells, then waiting buys, fill on real candles."""
        real = {s: row for s, row in here.items() if not row["filled"]}
        for symbol in self.symbols:
            if symbol in self.waiting_buys and symbol not in real:
                self.cancel_buy(symbol, "stale")
        for symbol in self.symbols:
            if symbol in self.waiting_sells and symbol in real:
                price = self.first_open(symbol, time_ms) * (1 - self.share("slippage_percent"))
                self.sell(symbol, time_ms, price, self.waiting_sells[symbol].reason)
        for symbol in self.symbols:
            if symbol in self.waiting_buys and symbol in real:
                self.buy(symbol, time_ms)

    def first_open(self, symbol: str, time_ms: int) -> Fraction:
        """The open at which waiting orders fill."""
        price: Fraction = self.inner_rows(symbol, time_ms)[0]["open"]
        return price

    def inner_rows(self, symbol: str, time_ms: int) -> list[Row]:
        """The detail candles inside this one, or this one."""
        return self.detail.get(symbol, {}).get(time_ms) or [self.rows[symbol][time_ms]]

    def buy(self, symbol: str, time_ms: int) -> None:
        """Fill a waiting buy at the open, cut to the cash."""
        order = self.waiting_buys.pop(symbol)
        rules = self.rules[symbol]
        price = up(self.first_open(symbol, time_ms) * (1 + self.share("slippage_percent")), rules.tick)
        amount = order.amount
        if self.cost(symbol, price, amount) > self.cash:
            amount = self.largest_amount(symbol, price, amount, self.cash)
            if amount == 0 or self.under_minimum(symbol, price * amount):
                order.status, order.status_reason = REFUSED, "min_notional"
                return
        order.status = FILLED
        what = {"symbol": symbol, "side": BUY, "time_ms": time_ms, "reason": order.reason}
        paid = self.record_fill(what, price, amount)
        self.cash -= price * amount + paid
        self.positions[symbol] = Position(
            symbol, time_ms, price, amount, paid, self.stop_under(symbol, price),
            self.target_over(symbol, price), order.votes,
        )  # fmt: skip

    def sell(self, symbol: str, time_ms: int, price: Fraction, reason: str) -> None:
        """Close a position at a price that is rounded down to the tick."""
        position = self.positions.pop(symbol)
        order = self.waiting_sells.pop(symbol, None)
        if order is not None:
            order.status = FILLED
        price = down(price, self.rules[symbol].tick)
        what = {"symbol": symbol, "side": SELL, "time_ms": time_ms, "reason": reason}
        paid = self.record_fill(what, price, position.amount)
        self.cash += price * position.amount - paid
        trade = closed_trade(position, self.result.fills[-1])
        self.realised += Fraction(trade["realized_profit"])
        self.result.trades.append(trade)

    def record_fill(self, what: dict[str, Any], price: Fraction, amount: Fraction) -> Fraction:
        """Write a fill (symbol, side, time_ms, reason) down; gives its fee."""
        paid = fee(price * amount, self.number("fee_percent"), self.rules[what["symbol"]])
        money = {"price": price, "amount": amount, "fee": paid}
        self.result.fills.append(what | {name: exact_decimal(value) for name, value in money.items()})
        return paid

    def inside(self, time_ms: int, here: dict[str, Row]) -> None:
        """Stops and targets, on real candles."""
        for symbol in self.symbols:
            if symbol in here and not here[symbol]["filled"]:
                for row in self.inner_rows(symbol, time_ms):
                    self.leave_inside(symbol, row, time_ms)

    def leave_inside(self, symbol: str, row: Row, time_ms: int) -> None:
        """The stop first, then the target."""
        position = self.positions.get(symbol)
        if position is None:
            return
        if position.stop is not None and row["low"] <= position.stop:
            price = min(row["open"], position.stop) * (1 - self.share("slippage_percent"))
            self.sell(symbol, row["time_ms"], price, "stop")
            candles = self.settings["cooldown_candles_after_stop"]
            self.cooldown_until_ms[symbol] = time_ms + candles * self.settings["timeframe_ms"]
        elif position.target is not None and row["high"] >= position.target:
            self.sell(symbol, row["time_ms"], max(row["open"], position.target), "take_profit")

    def stop_under(self, symbol: str, price: Fraction) -> Fraction | None:
        """The stop of an entry at this price."""
        if self.number("stop_loss_percent") == 0:
            return None
        return down(price * (1 - self.share("stop_loss_percent")), self.rules[symbol].tick)

    def target_over(self, symbol: str, price: Fraction) -> Fraction | None:
        """The take profit price of an entry at this price."""
        if self.number("take_profit_percent") == 0:
            return None
        return up(price * (1 + self.share("take_profit_percent")), self.rules[symbol].tick)
