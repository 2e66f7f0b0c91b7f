"""What a live feed is made of."""

from decimal import Decimal
from typing import Any

from msgspec import Struct


class ExchangeFeed(Struct, frozen=True, tag=True):
    """A live exchange's public data; it needs no keys.

    `options` are handed to ccxt; `ticks` are the symbols in the order of the settings with their price steps.
    The run begins at `first_open_ms`, and its candles from there on are kept in the database; earlier ones,
    from the anchor on, are history. `folder` keeps the exchange's markets, for a quick start.
    """

    exchange_id: str
    options: dict[str, Any]
    ticks: tuple[tuple[str, Decimal], ...]
    timeframe_ms: int
    anchor_ms: int
    first_open_ms: int
    database_url: str = ""
    run_id: int = 0
    folder: str = ""

    @property
    def symbols(self) -> list[str]:
        """The symbols, in the order of the settings."""
        return [symbol for symbol, _ in self.ticks]
