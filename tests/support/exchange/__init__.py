"""A small exchange of our own: Binance's spot API as far as ccxt needs it, faults at will, and the truth."""

from tests.support.exchange.local import API_KEY, API_SECRET, LocalExchange
from tests.support.exchange.model import Fill, Market, Order, Refusal, Request, State, Truth
from tests.support.exchange.process import ExchangeProcess

__all__ = [
    "API_KEY",
    "API_SECRET",
    "ExchangeProcess",
    "Fill",
    "LocalExchange",
    "Market",
    "Order",
    "Refusal",
    "Request",
    "State",
    "Truth",
]
