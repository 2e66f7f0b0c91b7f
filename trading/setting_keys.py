"""Keys of settings as users type them: `risk.stop_loss_percent`, `cross.fast`, `market.BTC/USDT.tick`.

A tree is the plain nested mapping of an autotrader.toml; a path is the place of a value in it, with
a strategy's name where the file has a list: ("strategies", "cross", "params", "fast").
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr

from trading.errors import SettingsError, suggestion
from trading.settings import MarketSettings, Settings, StrategySettings, folded_name

Path = tuple[str, ...]
Tree = dict[str, Any]

_SECTIONS = frozenset(Settings.model_fields) - {"strategies"}


def find_path(key: str, tree: Tree) -> Path:
    """The place of a key; raises SettingsError when it names neither a section nor a strategy."""
    first, *rest = key.split(".")
    if first == "strategies" and rest:
        first, *rest = rest
    elif first == "strategies" or (first in _SECTIONS and first != "market"):
        return (first, *rest)
    if first == "market":
        return (first, *_market_parts(rest))
    name = _strategy_name(first, tree)
    if name is None:
        known = [*_SECTIONS, *_strategy_names(tree)]
        raise SettingsError(f"{key}: there is no section or strategy {first!r}; {suggestion(first, known)}")
    if not rest:
        raise SettingsError(f"{key}: a strategy needs a parameter after its name, such as '{name}.weight'")
    place = rest if rest[0] in StrategySettings.model_fields else ["params", *rest]
    return ("strategies", name, *place)


def _market_parts(parts: list[str]) -> list[str]:
    """An environment variable spells BTC/USDT as btc_usdt."""
    if not parts:
        return parts
    symbol = parts[0].strip("\"'")
    if "/" not in symbol and "_" in symbol:
        symbol = symbol.replace("_", "/", 1).upper()
    return [symbol, *parts[1:]]


def _strategy_names(tree: Tree) -> list[str]:
    entries = tree["strategies"] if isinstance(tree["strategies"], list | tuple) else []
    names = [each.get("name") for each in entries if isinstance(each, dict)]
    return [name for name in names if isinstance(name, str)]


def _strategy_name(name: str, tree: Tree) -> str | None:
    return next((each for each in _strategy_names(tree) if folded_name(each) == folded_name(name)), None)


def put(tree: Tree, path: Path, value: object) -> None:
    """Set the value at a path, making the tables on the way."""
    here: Any = tree
    for part in path[:-1]:
        here = _child(here, part)
    if not isinstance(here, dict):
        raise SettingsError(f"{'.'.join(path)}: {path[-2]!r} is not a table")
    here[path[-1]] = value


def _child(here: Any, part: str) -> Any:
    if isinstance(here, list):
        return next(each for each in here if isinstance(each, dict) and each.get("name") == part)
    return here.setdefault(part, {}) if isinstance(here, dict) else None


def leaves(tree: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every single value of a tree with its path; `exchange.options` is one value."""
    for section, content in tree.items():
        if section == "strategies":
            for entry in content:
                yield from _leaves_of(entry, (section, entry["name"]), depth=2)
        else:
            yield from _leaves_of(content, (section,), depth=2 if section == "market" else 1)


def _leaves_of(content: Any, path: Path, depth: int) -> Iterator[tuple[Path, Any]]:
    if not isinstance(content, Mapping) or depth == 0:
        yield path, content
        return
    for name, value in content.items():
        yield from _leaves_of(value, (*path, name), depth - 1)


def key_of(path: Path) -> str:
    """The shortest key of a path: `cross.fast` for a strategy's parameter."""
    match path:
        case ("strategies", name, "params", *rest) if rest and rest[0] not in StrategySettings.model_fields:
            return ".".join((name, *rest))
        case ("strategies", name, *rest):
            return ".".join((name, *rest))
    return ".".join(path)


def parse_text(text: str, path: Path) -> Any:
    """A value from the text of an option or a variable, by the type of the setting that it is for."""
    annotation = _annotation(path)
    if _is_text(annotation):
        return text
    if get_origin(annotation) is tuple and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",")]
    return parse_scalar(text)


def parse_json(text: str, path: Path) -> Any:
    """A value from its JSON text, numbers exact; raises SettingsError when it is not JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=str)
    except (ValueError, ArithmeticError, RecursionError):
        raise SettingsError(f"{key_of(path)}: {text!r} is not JSON") from None


def parse_scalar(text: str) -> Any:
    """A number, true, false, or any JSON; a text that is none of them stays a text."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=str)
    except (ValueError, ArithmeticError, RecursionError):
        pass
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _annotation(path: Path) -> Any:
    match path:
        case ("strategies", _, name):
            fields = StrategySettings.model_fields
        case ("market", _, name):
            fields = MarketSettings.model_fields
        case (section, name):
            model = Settings.model_fields[section].annotation
            fields = getattr(model, "model_fields", {})
        case _:
            return None
    return fields[name].annotation if name in fields else None


def _is_text(annotation: Any) -> bool:
    if annotation in (str, SecretStr) or get_origin(annotation) is Literal:
        return True
    if get_origin(annotation) in (tuple, dict):
        return False
    return any(_is_text(argument) for argument in get_args(annotation))
