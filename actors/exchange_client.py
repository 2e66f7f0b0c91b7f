"""A ccxt client of one exchange: made from the settings, exact, and without the hundred others."""

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from trading.errors import InputError

_LONGEST_WAIT_MS = 3_600_000


class _LatePackage(ModuleType):
    """A package of ccxt that runs its `__init__`, which imports every exchange, only when it must.

    A module that is imported from it shows as the class of the same name, as `__init__` would have it.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        inner = value.__dict__.get(name) if isinstance(value, ModuleType) else None
        super().__setattr__(name, inner if isinstance(inner, type) else value)

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None or "_whole" in self.__dict__:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if importlib.util.find_spec(f"{self.__name__}.{name}"):
            importlib.import_module(f"{self.__name__}.{name}")
        else:
            self.__dict__["_whole"] = True
            spec.loader.exec_module(self)
        return getattr(self, name)


def _late(name: str) -> ModuleType:
    """A package that is loaded already, or a late one."""
    if name not in sys.modules:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        package = _LatePackage(name)
        package.__dict__.update(__spec__=spec, __path__=spec.submodule_search_locations, __package__=name)
        package.__dict__["__file__"] = spec.origin
        sys.modules[name] = package
    return sys.modules[name]


def ccxt_errors() -> Any:
    """The module `ccxt.base.errors`; all of ccxt costs seconds to import, this and one exchange does not."""
    if "ccxt" not in sys.modules:
        root = _late("ccxt")
        errors = importlib.import_module("ccxt.base.errors")
        root.__dict__.update((name, each) for name, each in vars(errors).items() if isinstance(each, type))
        root.__dict__["Exchange"] = importlib.import_module("ccxt.base.exchange").Exchange
        for package in ("async_support", "pro"):
            setattr(root, package, _late(f"ccxt.{package}"))
    return importlib.import_module("ccxt.base.errors")


def make_client(exchange_id: str, options: Mapping[str, Any], api_key: str = "", api_secret: str = "") -> Any:
    """A client of this exchange, with websockets where ccxt has them; `options` are handed to ccxt.

    Numbers are their exact text; ccxt's own rate limiter is on, its verbose mode off. Raises InputError for
    an unknown exchange and for options that ccxt refuses.
    """
    errors = ccxt_errors()
    kind = _exchange_class(exchange_id)
    for table in ("urls", "options", "headers"):
        if not isinstance(options.get(table, {}), Mapping):
            raise InputError(f"exchange.options: {table} is {options[table]!r}; it must be a table")
    keys = {"apiKey": api_key, "secret": api_secret} if api_key else {}
    try:
        client = kind({"enableRateLimit": True, **_plain(options), **keys, "verbose": False})
    except (errors.BaseError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"exchange.options: ccxt refuses them for {exchange_id} ({type(error).__name__})"
        ) from None
    client.number = str  # Decimals get lost in ccxt's sums of fees
    client.has["fetchCurrencies"] = False
    if "urls" in options:
        _fold_spot_errors(client)
    return client


def _exchange_class(exchange_id: str) -> Any:
    known = _exchange_ids()
    if exchange_id not in known:
        near = get_close_matches(exchange_id, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {len(known)}, such as 'binanceus'"
        raise InputError(f"exchange.id: there is no {exchange_id!r} in ccxt; {hint}")
    package = "pro" if importlib.util.find_spec(f"ccxt.pro.{exchange_id}") else "async_support"
    return getattr(importlib.import_module(f"ccxt.{package}.{exchange_id}"), exchange_id)


def _exchange_ids() -> list[str]:
    return [each.name for each in iter_modules(sys.modules["ccxt.async_support"].__path__) if not each.ispkg]


def _plain(value: Any) -> Any:
    """Options as ccxt reckons with them: the settings' exact decimals are floats there."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def _fold_spot_errors(client: Any) -> None:
    """ccxt finds an exchange's spot errors by its real address; elsewhere it would look in vain."""
    spot = client.exceptions.get("spot") if isinstance(client.exceptions, dict) else None
    for part in ("exact", "broad"):
        if spot and part in spot:
            client.exceptions[part] = {**client.exceptions.get(part, {}), **spot[part]}


async def load_markets(
    client: Any, symbols: Iterable[str], cache: Path | None = None, refresh: bool = False
) -> None:
    """Give a client the markets of these symbols and no others: from the file `cache` if it has them all and
    no `refresh` is wanted, else from the exchange, and into the file.

    Raises InputError for a symbol that is no spot market there, and what ccxt raises.
    """
    wanted = tuple(symbols)
    markets = None if refresh or cache is None else _read(cache)
    if markets is None or not set(wanted) <= markets.keys():
        await client.load_markets(True)
        spot = {name: market for name, market in client.markets.items() if market.get("spot")}
        markets = {symbol: spot[_spot_symbol(client.id, symbol, spot)] for symbol in wanted}
        if cache is not None:
            _write(cache, {**(_read(cache) or {}), **markets})
    set_markets(client, {symbol: markets[symbol] for symbol in wanted})


def set_markets(client: Any, markets: Mapping[str, Any]) -> None:
    """Give a client these markets, as another client of the exchange knows them."""
    client.markets = client.markets_by_id = None
    client.set_markets(dict(markets))


def _spot_symbol(exchange_id: str, symbol: str, spot: Mapping[str, Any]) -> str:
    if symbol in spot:
        return symbol
    near = get_close_matches(symbol, spot, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {len(spot)}"
    raise InputError(f"engine.symbols: {exchange_id} has no spot market {symbol!r}; {hint}")


def _read(cache: Path) -> dict[str, Any] | None:
    """The markets in a file; None when there is none, or none that can be read."""
    try:
        markets = json.loads(cache.read_text())
    except (OSError, ValueError):
        return None
    whole = isinstance(markets, dict) and all(isinstance(each, dict) for each in markets.values())
    return markets if whole else None


def _write(cache: Path, markets: Mapping[str, Any]) -> None:
    """Keep markets in a file of mode 0600; without one, the next start asks again."""
    new = cache.with_name(f"{cache.name}.{os.getpid()}.new")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(markets, file)
        new.replace(cache)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def retry_after_ms(client: Any, now_ms: int) -> int:
    """How long the exchange's last answer asks to wait: its Retry-After in seconds, at most an hour, or the
    end of a ban that it names in ms UTC; 0 when it asks for nothing."""
    headers = {name.lower(): each for name, each in (client.last_response_headers or {}).items()}
    text = str(headers.get("retry-after") or "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text) * 1000, _LONGEST_WAIT_MS)
    _, _, rest = str(client.last_http_response or "").partition("banned until ")
    until = rest[:13]
    return max(0, min(int(until) - now_ms, _LONGEST_WAIT_MS)) if until.isascii() and until.isdecimal() else 0
