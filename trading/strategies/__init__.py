"""Strategies: the voters. This is all that a strategy of your own needs to import."""

from trading.errors import StrategyError
from trading.signals import Side, Signal, buy, hold, sell
from trading.strategies.base import MarketView, Strategy, VectorStrategy
from trading.strategies.parameters import Choice, Integer, Number

__all__ = [
    "Choice",
    "Integer",
    "MarketView",
    "Number",
    "Side",
    "Signal",
    "Strategy",
    "StrategyError",
    "VectorStrategy",
    "buy",
    "hold",
    "sell",
]
