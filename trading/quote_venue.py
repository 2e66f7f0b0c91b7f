"""Paper trading at live prices: orders fill at the best bid or ask of the moment (rulebook 5)."""

from collections.abc import Mapping, Sequence

from trading.candles import Candle
from trading.events import Price
from trading.rules import Rules
from trading.simulated_venue import Executions, Moment, Working, execute


def execute_at_quotes(
    book: Sequence[Working], cash: int, prices: Mapping[str, Price], time_ms: int, rules: Rules
) -> Executions:
    """Fill the waiting orders of the symbols that have a price: sells at its bid, buys at its ask, both with
    slippage and in the market's steps. Stops and targets become orders when prices are seen."""
    waiting = [
        each
        for each in book
        if each.symbol in prices and (each.exit is not None or (each.entry is not None and not each.position))
    ]
    moments = {
        each.symbol: (Moment(time_ms, _flat(prices[each.symbol], sells=each.exit is not None)),)
        for each in waiting
    }
    return execute(waiting, cash, moments, rules)


def _flat(price: Price, *, sells: bool) -> Candle:
    """The moment as a candle: everything happens at one price."""
    at = price.bid if sells else price.ask
    return Candle(price.symbol, at, at, at, at, 0.0)
