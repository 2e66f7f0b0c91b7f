"""How a strategy is named and built; apart from its actor, so that knowing it costs nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from trading.settings import StrategySettings


class StrategySpec(Struct, frozen=True):
    """Enough to build a strategy again anywhere; `every_candles` of None is the type's own."""

    name: str
    type: str
    params: dict[str, Any] = {}
    path: str | None = None
    every_candles: int | None = None


def spec_of(chosen: "StrategySettings") -> StrategySpec:
    """How a configured strategy is built, in whatever folder."""
    path = str(Path(chosen.path).resolve()) if chosen.path else None
    return StrategySpec(chosen.name, chosen.type, dict(chosen.params), path, chosen.every_candles)
