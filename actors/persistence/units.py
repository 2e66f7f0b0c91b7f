"""From the engine's integers to the Decimals that tables show, and back; never rounded."""

from decimal import Context, Decimal, Inexact, InvalidOperation

from trading.rules import Rules

# 500 digits are more than any product of a price and an amount has; a lost digit would be raised.
EXACT = Context(prec=500, traps=[Inexact, InvalidOperation])


class Units:
    """What one tick, lot and quote unit of a run are worth."""

    def __init__(self, rules: Rules) -> None:
        self._decimals = rules.quote_decimals
        self._ticks = {market.symbol: market.tick for market in rules.markets}
        self._lots = {market.symbol: market.lot for market in rules.markets}
        self._tick_lots = {market.symbol: market.tick_lot for market in rules.markets}

    def quote(self, units: int) -> Decimal:
        """Quote units as money."""
        return EXACT.scaleb(EXACT.create_decimal(units), -self._decimals)

    def units(self, money: Decimal) -> int:
        """Money in quote units: what `quote` was given."""
        return int(EXACT.scaleb(money, self._decimals))

    def price(self, symbol: str, ticks: int) -> Decimal:
        """A price in quote."""
        return EXACT.multiply(self._ticks[symbol], ticks)

    def level(self, symbol: str, ticks: int) -> Decimal | None:
        """A stop, target or sizing price; 0 is none."""
        return self.price(symbol, ticks) if ticks else None

    def amount(self, symbol: str, lots: int) -> Decimal:
        """An amount in base."""
        return EXACT.multiply(self._lots[symbol], lots)

    def part(self, symbol: str, lots: int) -> Decimal | None:
        """What was executed of an amount so far; 0 is nothing."""
        return self.amount(symbol, lots) if lots else None

    def notional(self, symbol: str, ticks: int, lots: int) -> Decimal:
        """Price x amount in quote."""
        return self.quote(ticks * lots * self._tick_lots[symbol])
