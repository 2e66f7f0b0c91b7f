"""How a strategy is named and built; apart from its actor, so that knowing it costs nothing."""

from typing import Any

from msgspec import Struct


class StrategySpec(Struct, frozen=True):
    """Enough to build a strategy again anywhere; `every_candles` of None is the type's own."""

    name: str
    type: str
    params: dict[str, Any] = {}
    path: str | None = None
    every_candles: int | None = None
