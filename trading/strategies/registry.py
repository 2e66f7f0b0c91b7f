"""Where strategies come from: built in, a file of the user's, or an installed package."""

import inspect
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from msgspec import Struct

from trading.errors import StrategyError, suggestion
from trading.settings import Settings, StrategySettings
from trading.strategies.base import Strategy
from trading.strategies.failures import FAILURES, failure_text
from trading.strategies.files import strategies_in
from trading.strategies.parameters import ParameterInfo

ENTRY_POINT_GROUP = "autotrader.strategies"
# The type that means "the one strategy in the file".
CUSTOM = "custom"

_BUILT_IN = {
    "sma_cross": "SmaCross",
    "technical": "Technical",
    "trend": "Trend",
    "mean_reversion": "MeanReversion",
    "momentum": "Momentum",
    "breakout": "Breakout",
}


class StrategyType(Struct, frozen=True):
    """One type for a listing; `source` is "built in" or the installed package that brings it."""

    name: str
    doc: str
    source: str
    parameters: tuple[ParameterInfo, ...]


def available() -> list[StrategyType]:
    """The built-in types, then the installed ones by name; raises StrategyError when one cannot be loaded."""
    built_in = [_described(name, _built_in(name), "built in") for name in _BUILT_IN]
    installed = [
        _described(name, _installed(point), point.dist.name if point.dist else point.module)
        for name, point in sorted(_entry_points().items())
    ]
    return built_in + installed


def make(type_name: str, params: Mapping[str, object], path: str | Path | None = None) -> Strategy:
    """A strategy of a type with its parameters; with a path, the type is a class in that file.

    The same three values make the same strategy in any process. Raises StrategyError.
    """
    cls = strategy_class(type_name, path)
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise StrategyError(f"strategy {type_name!r}: the class {cls.__name__} has no {missing}")
    try:
        strategy = cls(**params)
        _check_numbers(strategy)
    except StrategyError:
        raise
    except FAILURES as error:
        raise StrategyError(f"strategy {type_name!r} cannot be made: {failure_text(error, path)}") from error
    return strategy


def made_strategies(settings: Settings) -> list[tuple[StrategySettings, Strategy]]:
    """Every configured strategy, made. Raises StrategyError with the strategy's name before the fault."""
    made = []
    for chosen in settings.strategies:
        try:
            made.append((chosen, make(chosen.type, chosen.params, chosen.path)))
        except StrategyError as error:
            raise StrategyError(f"strategies.{chosen.name}: {error}") from None
    return made


def strategy_class(type_name: str, path: str | Path | None = None) -> type[Strategy]:
    """The class of a type; raises StrategyError when there is none."""
    if path is not None:
        return _in_file(type_name, Path(path))
    if type_name in _BUILT_IN:
        return _built_in(type_name)
    installed = _entry_points()
    if type_name in installed:
        return _installed(installed[type_name])
    known = suggestion(type_name, [*_BUILT_IN, *installed])
    raise StrategyError(f"type: there is no strategy {type_name!r}; {known}")


def _check_numbers(strategy: Strategy) -> None:
    for name in ("warmup_candles", "memory_candles", "valid_candles", "every_candles"):
        value = getattr(strategy, name)
        if value is None and name == "memory_candles":
            continue
        if type(value) is not int or value < 1:
            raise StrategyError(f"{name}: {value!r} is not a whole number from 1 on")


def _built_in(name: str) -> type[Strategy]:
    cls: type[Strategy] = getattr(import_module(f"trading.strategies.{name}"), _BUILT_IN[name])
    return cls


def _in_file(type_name: str, path: Path) -> type[Strategy]:
    found = strategies_in(path)
    for cls in found:
        if type_name in (cls.__name__, cls.type_name()):
            return cls
    if type_name == CUSTOM and len(found) == 1:
        return found[0]
    known = suggestion(type_name, [cls.type_name() for cls in found])
    raise StrategyError(f"type: the file {path} has no strategy {type_name!r}; {known}")


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _installed(point: EntryPoint) -> type[Strategy]:
    try:
        cls = point.load()
    except FAILURES as error:
        raise StrategyError(
            f"type: the installed strategy {point.name!r} cannot be loaded: {failure_text(error)}"
        ) from error
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise StrategyError(f"type: the installed {point.name!r} is not a strategy class but {cls!r:.80}")
    return cls


def _described(name: str, cls: type[Strategy], source: str) -> StrategyType:
    return StrategyType(name, inspect.getdoc(cls) or "", source, tuple(cls.parameters()))
