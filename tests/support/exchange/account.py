"""One account and its orders: matching against the tapes, and an exact ledger. No input or output here."""

import time
from collections import defaultdict
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from tests.support.exchange.checks import check_filters, parsed
from tests.support.exchange.model import (
    EIGHT_DECIMALS,
    OPEN,
    STOPS,
    WITH_LIMIT,
    Balance,
    Clock,
    Fill,
    Order,
    Refusal,
    State,
)
from tests.support.exchange.tape import Tape


class Account:
    """Orders and fills as they came; `holdings` are totals, of which open orders lock a part."""

    def __init__(
        self, tapes: dict[str, Tape], clock: Clock, state: State, holdings: Mapping[str, Decimal]
    ) -> None:
        self.tapes, self.clock, self.state = tapes, clock, state
        self.holdings: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.transfers: list[tuple[str, Decimal]] = []
        self.orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        for tape in tapes.values():
            self.transfer(tape.market.base, Decimal(0))
            self.transfer(tape.market.quote, Decimal(0))
        for currency, amount in holdings.items():
            self.transfer(currency, amount)

    def transfer(self, currency: str, amount: Decimal) -> None:
        """A deposit, or a withdrawal when negative."""
        self.holdings[currency] += amount
        self.transfers.append((currency, amount))

    def balance(self, currency: str) -> Balance:
        """What is free, and what open orders lock."""
        locked = sum((self._locked(each, currency) for each in self.open_orders()), Decimal(0))
        return Balance(self.holdings[currency] - locked, locked)

    def open_orders(self, symbol: str = "") -> list[Order]:
        """The orders that are not final, of one symbol or all."""
        return [each for each in self.orders.values() if each.status in OPEN and symbol in ("", each.symbol)]

    def tape(self, params: Mapping[str, str]) -> Tape:
        """The market that a request names."""
        if not (wanted := params.get("symbol")):
            raise Refusal(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        for tape in self.tapes.values():
            if tape.market.id == wanted:
                return tape
        raise Refusal(-1121, "Invalid symbol.")

    def place(self, params: Mapping[str, str], by_hand: bool = False) -> Order:
        """Take an order by the exchange's parameters, and match it.

        Raises Refusal.
        """
        tape = self.tape(params)
        order = parsed(params, tape.market.symbol, 1_001 + len(self.orders), self.clock.now_ms())
        order.by_hand, order.working = by_hand, order.type not in STOPS
        order.hidden_until = time.monotonic() + self.state.orders_hidden_ms / 1000
        self._check(order, tape)
        self.orders[order.id] = order
        self._meet(order, fresh=True)
        return order

    def find(self, params: Mapping[str, str]) -> Order | None:
        """The order that a request names; of several with a client id the open, else the newest one."""
        symbol = self.tape(params).market.symbol
        number, client_id = params.get("orderId"), params.get("origClientOrderId")
        if not number and not client_id:
            raise Refusal(
                -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            )
        fitting = [
            each
            for each in self.orders.values()
            if each.symbol == symbol
            and number in (None, str(each.id))
            and client_id in (None, "", each.client_id)
        ]
        return max(fitting, key=lambda each: (each.status in OPEN, each.id), default=None)

    def end(self, order: Order, status: str = "CANCELED") -> None:
        """Cancel an open order."""
        if order.status not in OPEN:
            raise Refusal(-2011, "Unknown order sent.")
        order.status, order.update_ms = status, self.clock.now_ms()

    def match(self, symbol: str) -> None:
        """Trigger and fill what the present price triggers and fills."""
        for order in self.open_orders(symbol):
            self._meet(order)

    def fill(self, order: Order, amount: Decimal, price: Decimal, maker: bool = True) -> None:
        """Fill a part of an open order at a price."""
        market, bought = self.tapes[order.symbol].market, order.side == "BUY"
        cost, sign = (amount * price).quantize(EIGHT_DECIMALS), 1 if bought else -1
        fee, fee_currency = self._fee(order, amount, cost)
        self.holdings[market.base] += sign * amount
        self.holdings[market.quote] -= sign * cost
        self.holdings[fee_currency] -= fee
        order.filled, order.cost = order.filled + amount, order.cost + cost
        order.status = "FILLED" if order.left == 0 else "PARTIALLY_FILLED"
        order.update_ms = self.clock.now_ms()
        self.fills.append(
            Fill(
                id=50_001 + len(self.fills),
                order_id=order.id,
                client_id=order.client_id,
                symbol=order.symbol,
                side=order.side,
                price=price,
                amount=amount,
                cost=cost,
                fee=fee,
                fee_currency=fee_currency,
                maker=maker,
                time_ms=order.update_ms,
                hidden_until=time.monotonic() + self.state.trades_hidden_ms / 1000,
            )
        )

    def problems(self) -> list[str]:
        """What transfers, fills and fees do not explain, and what is overspent."""
        explained: defaultdict[str, Decimal] = defaultdict(Decimal)
        for currency, amount in self.transfers:
            explained[currency] += amount
        for each in self.fills:
            market, sign = self.tapes[each.symbol].market, 1 if each.side == "BUY" else -1
            explained[market.base] += sign * each.amount
            explained[market.quote] -= sign * each.cost
            explained[each.fee_currency] -= each.fee
        found = []
        for currency, held in self.holdings.items():
            if held != explained[currency]:
                found.append(f"{currency}: {held} held, {explained[currency]} explained")
            if self.balance(currency).free < 0:
                found.append(f"{currency}: {self.balance(currency).free} free")
        return found

    def _check(self, order: Order, tape: Tape) -> None:
        if order.symbol in self.state.halted:
            raise Refusal(-1013, "Market is closed.")
        if order.type == "STOP_LOSS" and not self.state.stop_market:
            raise Refusal(-1013, "Stop loss orders are not supported for this symbol.")
        check_filters(order, tape)
        open_orders = self.open_orders(order.symbol)
        if any(each.client_id == order.client_id for each in open_orders):
            raise Refusal(-2010, "Duplicate order sent.")
        if order.type in STOPS and self._triggered(order):
            raise Refusal(-2010, "Stop price would trigger immediately.")
        price = order.price or order.stop or tape.ask
        currency, needed = (
            (tape.market.quote, order.amount * price)
            if order.side == "BUY"
            else (tape.market.base, order.amount)
        )
        if self.balance(currency).free < needed:
            raise Refusal(-2010, "Account has insufficient balance for requested action.")

    def _locked(self, order: Order, currency: str) -> Decimal:
        market = self.tapes[order.symbol].market
        if order.side == "SELL":
            return order.left if currency == market.base else Decimal(0)
        return order.left * (order.price or order.stop) if currency == market.quote else Decimal(0)

    def _triggered(self, order: Order) -> bool:
        price = self.tapes[order.symbol].price
        return price >= order.stop if order.side == "BUY" else price <= order.stop

    def _meet(self, order: Order, fresh: bool = False) -> None:
        """What the present price does to an open order; resting ones fill at their own price."""
        if order.symbol in self.state.halted:
            return
        resting = order.working and not fresh
        if not order.working:
            order.working = self._triggered(order)
        tape = self.tapes[order.symbol]
        best = tape.ask if order.side == "BUY" else tape.bid
        reached = order.type not in WITH_LIMIT or (
            best <= order.price if order.side == "BUY" else best >= order.price
        )
        if not order.working or not reached:
            return
        self._trade(order, order.price if resting else best, maker=resting)
        if order.type not in WITH_LIMIT and order.status in OPEN:
            self.end(order, "EXPIRED")

    def _trade(self, order: Order, price: Decimal, maker: bool) -> None:
        """Fill what there is liquidity for, in as many parts as the state says."""
        lot, liquidity = self.tapes[order.symbol].market.lot, self.state.liquidity
        amount = min(order.left, liquidity.get(order.symbol, order.left)) // lot * lot
        if order.symbol in liquidity:
            liquidity[order.symbol] -= amount
        part = (amount / self.state.fill_parts / lot).to_integral_value(ROUND_DOWN) * lot
        for _ in range(self.state.fill_parts - 1):
            if part:
                self.fill(order, part, price, maker)
                amount -= part
        if amount:
            self.fill(order, amount, price, maker)

    def _fee(self, order: Order, amount: Decimal, cost: Decimal) -> tuple[Decimal, str]:
        market, state = self.tapes[order.symbol].market, self.state
        currency = state.fee_currency or (market.base if order.side == "BUY" else market.quote)
        paid = {market.base: amount, market.quote: cost}.get(currency, cost / state.fee_currency_price)
        return (paid * state.fee_rate).quantize(EIGHT_DECIMALS), currency
