"""The newest best prices of each symbol, and what about them is not to be believed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from trading.exchange_orders import Quote

# A quote whose market showed no life for longer is not given out as live.
STALE_SECONDS = 10.0
# A quote with an older number than the last one's is late, unless the last one is this old itself.
_NUMBERS_COUNT_SECONDS = 5.0


class _Held(Struct, frozen=True):
    """`at` is when the market last showed life: the stream told it, or it was another than before."""

    quote: Quote
    amounts: tuple[Any, Any]
    cursor: int
    at: float
    number: int


class QuoteBook:
    """Keeps one quote a symbol. `at` in every call is a clock that runs evenly, in seconds."""

    def __init__(self, symbols: Iterable[str], first_cursor: int) -> None:
        self.cursor = first_cursor
        self.dropped = 0
        self._first_cursor = first_cursor
        self._held: dict[str, _Held | None] = dict.fromkeys(symbols)

    def put(
        self, symbol: str, ticker: Mapping[str, Any], time_ms: int, at: float, polled: bool = False
    ) -> None:
        """Take in a symbol's best prices as ccxt tells them; bad and late ones are dropped.

        A `polled` answer that says what was known is an observation, and no sign of life: an exchange whose
        prices are frozen answers too.
        """
        if symbol not in self._held:
            return
        held, prices, number = self._held[symbol], _prices(ticker), _number(ticker)
        late = held is not None and 0 < number < held.number and at - held.at < _NUMBERS_COUNT_SECONDS
        if prices is None or late:
            self.dropped += 1
            return
        self.cursor += 1
        quote = Quote(symbol, *prices, time_ms)
        amounts = (ticker.get("bidVolume"), ticker.get("askVolume"))
        if (
            held is not None
            and polled
            and (held.quote.bid, held.quote.ask, held.amounts) == (*prices, amounts)
        ):
            at = held.at
        self._held[symbol] = _Held(quote, amounts, self.cursor, at, number)

    def after(self, cursor: int, at: float) -> tuple[Quote, ...]:
        """The quotes that changed after a cursor and are not stale, the oldest first.

        A cursor that was never given out is one of another time, and counts as none.
        """
        known = cursor if self._first_cursor <= cursor <= self.cursor else 0
        fresh = [held for held in self._held.values() if held is not None and held.cursor > known]
        fresh.sort(key=lambda held: held.cursor)
        return tuple(held.quote for held in fresh if at - held.at <= STALE_SECONDS)

    def older_than(self, seconds: float, at: float) -> list[str]:
        """The symbols without a quote, or without a sign of life for so long."""
        return [name for name, held in self._held.items() if held is None or at - held.at > seconds]


def _prices(ticker: Mapping[str, Any]) -> tuple[Decimal, Decimal] | None:
    """Both prices as exact numbers; None when they are not the best prices of any market."""
    try:
        bid, ask = Decimal(str(ticker.get("bid"))), Decimal(str(ticker.get("ask")))
    except ArithmeticError:
        return None
    if not (bid.is_finite() and ask.is_finite()) or not 0 < bid <= ask:
        return None
    return bid, ask


def _number(ticker: Mapping[str, Any]) -> int:
    """The number that Binance gives each state of its book; 0 where there is none."""
    info = ticker.get("info")
    number = info.get("u") if isinstance(info, Mapping) else None
    return number if isinstance(number, int) else 0
