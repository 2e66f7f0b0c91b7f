"""The commented autotrader.toml: every setting, its docstring, its value."""

import json
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from trading.settings import SECRETS, MarketSettings, Settings, StrategySettings

WIDTH = 80


def settings_file(settings: Settings) -> str:
    """The settings as a commented TOML file that reads back as the same settings."""
    lines = ["# Settings of autotrader; values shown are in force, [brackets] hold the defaults."]
    for name, value in settings:
        if name == "market":
            lines += _markets(settings)
        elif name == "strategies":
            lines += _strategies(settings)
        else:
            lines += ["", *_comment(type(value).__doc__), f"[{name}]", *_fields(value)]
    return "\n".join(lines) + "\n"


def _fields(section: BaseModel, docs: bool = True) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if name in SECRETS:
            continue
        if docs:
            yield from _comment(field.description)
        if value is not None:
            yield f"{name} = {toml_value(value)}"
        elif docs:
            yield f"# {name} ="


def _markets(settings: Settings) -> Iterator[str]:
    yield ""
    yield from _comment(MarketSettings.__doc__)
    for symbol, section in settings.market.items():
        yield f'[market."{symbol}"]'
        yield from _fields(section, docs=False)
    if not settings.market:
        yield from ('# [market."BTC/USDT"]', "# tick = 0.01", "# lot = 0.00001", "# min_notional_quote = 10")


def _strategies(settings: Settings) -> Iterator[str]:
    yield ""
    yield from _comment("The voters, each with:")
    for name, field in StrategySettings.model_fields.items():
        yield from _comment(f"{name}: {field.description}")
    for strategy in settings.strategies:
        yield "[[strategies]]"
        yield from _fields(strategy, docs=False)
        yield ""


def _comment(text: str | None) -> list[str]:
    return textwrap.wrap(text or "", WIDTH, initial_indent="# ", subsequent_indent="# ")


def toml_value(value: Any) -> str:
    """A value as TOML writes it; decimals stay exact."""
    match value:
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case Decimal():
            return format(value, "f")
        case dict():
            items = ", ".join(f"{json.dumps(name)} = {toml_value(each)}" for name, each in value.items())
            return f"{{ {items} }}" if items else "{}"
        case list() | tuple():
            return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)
