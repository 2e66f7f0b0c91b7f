"""Symbols that a caller names."""

from collections.abc import Collection, Iterable

from control.faults import not_found
from trading.errors import suggestion


def known_symbols(given: Iterable[str], traded: Collection[str], field: str = "symbols") -> tuple[str, ...]:
    """The symbols, each once. Raises NOT_FOUND for one that is not traded."""
    symbols = tuple(dict.fromkeys(given))
    for symbol in symbols:
        if symbol not in traded:
            raise not_found(field, f"{symbol!r} is not traded; {suggestion(symbol, traded)}")
    return symbols
