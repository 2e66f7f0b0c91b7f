"""Small hand-made runs: candles as tuples, one voter with full confidence."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.oracle.books import Result
from tests.oracle.simulate import simulate

HOUR_MS = 3_600_000
MIDNIGHT_MS = 1_600_000_000_000 // 86_400_000 * 86_400_000

# open, high, low, close; None is a filled candle
Prices = Sequence[tuple[int | str, int | str, int | str, int | str] | None]
# candle index to what the voter says there
Says = Mapping[int, str]

BARE: dict[str, Any] = {
    "initial_capital": Decimal(1000),
    "timeframe_ms": HOUR_MS,
    "fee_percent": Decimal(0),
    "slippage_percent": Decimal(0),
    "min_order_notional_quote": Decimal(1),
    "position_size_percent": Decimal(50),
}
RULES = (Decimal(1), Decimal("0.1"), Decimal(1))


def flat(price: int | str, count: int = 1) -> list[tuple[int | str, int | str, int | str, int | str] | None]:
    """Real candles that stay at one price."""
    return [(price, price, price, price)] * count


def rows(prices: Prices, first_ms: int = MIDNIGHT_MS) -> list[dict[str, Any]]:
    """Candle rows an hour apart; None repeats the last close."""
    result: list[dict[str, Any]] = []
    for index, values in enumerate(prices):
        four = values or (result[-1]["close"],) * 4
        named = dict(zip(("open", "high", "low", "close"), map(Decimal, four), strict=True))
        moment = {"time_ms": first_ms + index * HOUR_MS, "volume": Decimal(1), "filled": values is None}
        result.append(named | moment)
    return result


def play(
    prices: Prices | Mapping[str, Prices],
    says: Says | Mapping[str, Says],
    *,
    commands: dict[int, list[Any]] | None = None,
    warmup_candles: int = 1,
    first_ms: int = MIDNIGHT_MS,
    **settings: Any,
) -> Result:
    """Run one symbol "A" (prices, says) or several (mappings by symbol); `commands` are by candle index."""
    by_symbol: Mapping[str, Any] = prices if isinstance(prices, Mapping) else {"A": prices}
    words: Any = says if isinstance(prices, Mapping) else {"A": says}
    markets = dict.fromkeys(by_symbol, RULES)
    voter = {
        "name": "v",
        "weight": Decimal(1),
        "enabled": True,
        "valid_candles": 1,
        "warmup_candles": warmup_candles,
    }
    signals = {
        ("v", symbol, first_ms + index * HOUR_MS): (side, Decimal(100))
        for symbol, spoken in words.items()
        for index, side in spoken.items()
    }
    by_close = {first_ms + (index + 1) * HOUR_MS: given for index, given in (commands or {}).items()}
    candles = {symbol: rows(p, first_ms) for symbol, p in by_symbol.items()}
    chosen = BARE | {"markets": markets, "strategies": [voter]} | settings
    return simulate(candles, signals, chosen, commands=by_close)


def refusals(result: Result) -> dict[int, str]:
    """Candle index to the reason of the refusal there (hours since midnight, one symbol)."""
    return {
        (o["time_ms"] - MIDNIGHT_MS) // HOUR_MS: o["reason"]
        for o in result.outcomes
        if o["verdict"] == "refused"
    }
