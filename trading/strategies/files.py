"""Strategies in a Python file of the user's."""

import hashlib
import sys
from pathlib import Path
from types import ModuleType

from trading.errors import StrategyError
from trading.strategies.base import Strategy
from trading.strategies.failures import FAILURES, failure_text


def strategies_in(path: Path) -> list[type[Strategy]]:
    """The strategy classes that a file defines, in order; a leading underscore hides one.

    The file is run each time and nothing is written beside it. Raises StrategyError with the reason when
    it cannot be read or run, or defines no strategy.
    """
    module = _run(path)
    found = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    if not found:
        raise StrategyError(f"path: the file {path} defines no class that is a Strategy")
    return found


def _run(path: Path) -> ModuleType:
    source = _source(path)
    # In sys.modules, because dataclasses and pickle look a class's module up there.
    module = ModuleType(f"strategy_file_{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except FAILURES as error:
        del sys.modules[module.__name__]
        reason = failure_text(error, path)
        raise StrategyError(f"path: the strategy file {path} cannot be loaded: {reason}") from error
    return module


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise StrategyError(f"path: the strategy file {path} cannot be read: {reason}") from error
