"""What execution at an exchange is made with; small, and without a secret."""

from decimal import Decimal
from typing import Any

from msgspec import Struct

from trading.order_tracking import RECV_WINDOW_MS


class OwnLimits(Struct, frozen=True):
    """What execution itself buys at most, whatever risk says; notionals in quote, None is no limit."""

    max_orders_per_minute: int | None = None
    max_order_notional: Decimal | None = None
    max_daily_notional: Decimal | None = None


class ExchangeSpec(Struct, frozen=True):
    """Where orders go and whose they are: the exchange's ccxt id and the options handed to it, the run whose
    stored orders are approved, the engine whose id its client ids carry (`trading.client_ids`).

    `cache_folder` is where the markets' rules are kept between starts.
    """

    exchange: str
    options: dict[str, Any]
    symbols: tuple[str, ...]
    database_url: str
    run_id: int
    engine_id: str
    cache_folder: str
    limits: OwnLimits = OwnLimits()
    recv_window_ms: int = RECV_WINDOW_MS
