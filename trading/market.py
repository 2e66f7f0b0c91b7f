"""What a market allows, and the integers in which its money is counted (rulebook 2).

A price is a number of ticks, an amount a number of lots, and money a number of the account's
quote units, a power of ten chosen so that every price x amount, fee and setting is whole.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from trading.errors import SettingsError

DEFAULT_LOT = Decimal("0.00001")
DEFAULT_MIN_NOTIONAL = Decimal("10")
LARGEST_QUOTE_UNIT = Decimal("0.00000001")


class Market(Struct, frozen=True):
    """One symbol's rules: price step, amount step, and the smallest notional in quote.

    On a live market, whose steps may change while it runs, `tick` and `lot` are finer: what is counted in.
    Then orders go in steps of `price_step` ticks and `amount_step` lots. `least_amount` and `most_amount`
    are the smallest and largest order in lots; 0 is no limit.
    """

    symbol: str
    tick: Decimal
    lot: Decimal = DEFAULT_LOT
    min_notional: Decimal = DEFAULT_MIN_NOTIONAL
    price_step: int = 1
    amount_step: int = 1
    least_amount: int = 0
    most_amount: int = 0


class MarketUnits(Struct, frozen=True):
    """A market in the account's integers.

    `tick_lot` is the worth of one lot at a price of one tick, `fee_step` the unit that its fees are
    rounded up to, `min_notional` its smallest notional: all in the account's quote units.
    """

    symbol: str
    tick: Decimal
    lot: Decimal
    tick_lot: int
    fee_step: int
    min_notional: int
    price_step: int = 1
    amount_step: int = 1
    least_amount: int = 0
    most_amount: int = 0

    def notional(self, price_ticks: int, amount_lots: int) -> int:
        """Price x amount in quote units, exact."""
        return price_ticks * amount_lots * self.tick_lot

    def price(self, price_ticks: int) -> Decimal:
        """A price in quote."""
        return self.tick * price_ticks

    def amount(self, amount_lots: int) -> Decimal:
        """An amount in base."""
        return self.lot * amount_lots

    def stepped(self, amount_lots: int) -> int:
        """The largest amount that an order can have within this one, in lots."""
        return amount_lots - amount_lots % self.amount_step

    def sellable(self, amount_lots: int, price_ticks: int) -> int:
        """How much of this amount the exchange would take as one sell order at this price; 0 when it is too
        little, or worth too little."""
        amount = self.stepped(min(amount_lots, self.most_amount) if self.most_amount else amount_lots)
        if amount < self.least_amount or self.notional(price_ticks, amount) < self.min_notional:
            return 0
        return amount


def decimal_places(value: Decimal) -> int:
    """How many decimals a number needs: 0.0100 needs 2, 100 needs 0."""
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise SettingsError(f"{value} is not a finite number")
    return max(0, -exponent)


def quote_decimals(markets: Iterable[Market], *quote_amounts: Decimal) -> int:
    """The decimals of the account's quote unit: as many as any product, fee or amount needs."""
    needed = [decimal_places(LARGEST_QUOTE_UNIT)]
    for market in markets:
        needed.append(decimal_places(market.tick * market.lot))
        needed.append(decimal_places(market.min_notional))
    needed.extend(decimal_places(amount) for amount in quote_amounts)
    return max(needed)


def to_units(value: Decimal, decimals: int) -> int:
    """A quote amount in units of 10^-decimals; raises SettingsError when it is not whole."""
    scaled = value.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise SettingsError(f"{value} has more than {decimals} decimals")
    return int(scaled)


def market_units(market: Market, decimals: int) -> MarketUnits:
    """A market in an account's integers."""
    tick_lot = market.tick * market.lot
    step_worth = tick_lot * market.price_step * market.amount_step
    return MarketUnits(
        symbol=market.symbol,
        tick=market.tick,
        lot=market.lot,
        tick_lot=to_units(tick_lot, decimals),
        fee_step=to_units(min(step_worth, LARGEST_QUOTE_UNIT), decimals),
        min_notional=to_units(market.min_notional, decimals),
        price_step=market.price_step,
        amount_step=market.amount_step,
        least_amount=market.least_amount,
        most_amount=market.most_amount,
    )
