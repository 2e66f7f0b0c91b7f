"""Symbols: spot markets named BASE/QUOTE, such as BTC/USDT."""

import re
from collections.abc import Iterable

from trading.errors import InputError

_SYMBOL = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}")


def is_symbol(text: str) -> bool:
    """Whether a text names a market as BASE/QUOTE in capitals and digits."""
    return _SYMBOL.fullmatch(text) is not None


def checked_symbol(text: str) -> str:
    """The symbol itself; raises InputError when it is not like BTC/USDT."""
    if not is_symbol(text):
        raise InputError(f"symbol: {text!r} is not BASE/QUOTE in capitals and digits, such as BTC/USDT")
    return text


def names_market(text: str, symbol: str) -> bool:
    """Whether a text names this market in some spelling: BTC/USDT, btc-usdt, BTC_USDT, BTCUSDT, or BTC."""
    base, _, quote = symbol.partition("/")
    return re.sub(r"[-_/\s]", "", text).upper() in (base, base + quote)


def quote_of(symbol: str) -> str:
    """The currency that a symbol's prices are in: USDT for BTC/USDT."""
    return symbol.partition("/")[2]


def fault_in_symbols(symbols: Iterable[str]) -> str | None:
    """Why these symbols cannot share an account, in words, or None when they can."""
    seen: list[str] = []
    for symbol in symbols:
        if symbol in seen:
            return f"{symbol} is there twice; every symbol may come once"
        if seen and quote_of(symbol) != quote_of(seen[0]):
            return f"{seen[0]} and {symbol} have different quote currencies; one run has one"
        seen.append(symbol)
    return None
