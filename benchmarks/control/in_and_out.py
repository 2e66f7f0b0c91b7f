"""A strategy that trades as often as it can: in at one close, out at the next."""

from typing import Any

from trading.strategies import MarketView, Signal, Strategy, buy, sell


class InAndOut(Strategy):
    """Buys every symbol at the close of an even hour, and sells it an hour later."""

    memory_candles = 1

    def analyze(self, market: MarketView, news: tuple[Any, ...]) -> Signal:
        """Full confidence, always."""
        hour = market.candles["timestamp"].dt.hour()[-1]
        return sell(100, "an odd hour") if hour % 2 else buy(100, "an even hour")
