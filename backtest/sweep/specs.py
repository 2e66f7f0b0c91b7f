"""`--set KEY=SPEC`: from what a user types to the dimensions of a sweep.

A SPEC is `5:50:5` (from, to, step; 50 included), `a,b,c`, or `lo..hi`. Anything else is one value:
a setting that all trials share.
"""

import copy
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from backtest.sweep.space import Choices, Dimension, Space, Steps, Value
from trading.errors import InputError, SettingsError, suggestion
from trading.market import decimal_places
from trading.setting_keys import Path, Tree, find_path, key_of, parse_text, put
from trading.settings import Settings, StrategySettings, parse_settings
from trading.strategies.parameters import declared
from trading.strategies.registry import strategy_class

_NUMBER = r"\s*([+-]?\d{1,15}(?:\.\d{1,12})?)\s*"
_STEPS = re.compile(f"{_NUMBER}:{_NUMBER}:{_NUMBER}", re.ASCII)
_RANGE = re.compile(rf"{_NUMBER}\.\.{_NUMBER}", re.ASCII)
_SHAPES = "a sweep takes LOW:HIGH:STEP, LOW..HIGH or A,B,C, numbers with at most 12 decimals"
FINEST_DECIMALS = 6

_SECTIONS = ("costs", "vote", "risk")
_OF_A_STRATEGY = ("weight", "enabled", "valid_candles", "every_candles")
# What only live trading looks at.
_LIVE_ONLY = frozenset(
    {
        ("vote", "deadline_seconds"),
        ("risk", "stale_after_seconds"),
        ("risk", "max_price_jump_percent"),
        ("risk", "stop_limit_offset_percent"),
    }
)


def split_specs(given: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The texts of `--set`: those with one value as they are, and the (key, spec) pairs to sweep."""
    fixed, swept = [], []
    for text in given:
        key, _, value = text.partition("=")
        if is_spec(value.strip()):
            swept.append((key.strip(), value.strip()))
        else:
            fixed.append(text)
    return fixed, swept


def is_spec(text: str) -> bool:
    """Whether a text means several values, or is meant to."""
    if text.startswith(("[", "{", '"')):
        return False
    return "," in text or re.search(r"^\s*[+-]?\d[\d.]*\s*(:|\.\.)", text, re.ASCII) is not None


def space_of(specs: Sequence[tuple[str, str]], settings: Settings) -> Space:
    """The space of these (key, spec) pairs over the settings that the trials share.

    Raises InputError, naming `--set`, for a key that is unknown, given twice or means nothing to a
    simulation, a spec that is no spec, and a value that the setting or parameter does not allow.
    """
    tree = tree_of(settings)
    dimensions = [_dimension(key, text, tree) for key, text in specs]
    seen: set[Path] = set()
    for each in dimensions:
        if each.path in seen:
            raise InputError(f"--set: {each.key} is there twice; every setting may be swept once")
        seen.add(each.path)
    return Space(tuple(dimensions))


def tree_of(settings: Settings) -> Tree:
    """Settings as the plain nested mapping of their file."""
    tree = settings.model_dump()
    tree["strategies"] = [
        {name: value for name, value in each.items() if value is not None} for each in tree["strategies"]
    ]
    return tree


def _dimension(key: str, text: str, tree: Tree) -> Dimension:
    try:
        path = find_path(key, tree)
        refuse_what_cannot_vary(path)
        check = _Check(tree, path)
        return _read(key_of(path), path, text, check)
    except _SpecError as error:
        raise InputError(f"--set {key}={text}: {error}") from None
    except InputError as error:
        raise SettingsError(f"{error} (in --set)") from None


class _SpecError(InputError):
    """What is wrong with a SPEC, without the option's name."""


def refuse_what_cannot_vary(path: Path) -> None:
    """Raise InputError unless the setting at a path can differ between simulations of the same candles."""
    match path:
        case ("strategies", _, "params", _):
            return
        case ("strategies", _, field) if field not in _OF_A_STRATEGY:
            allowed = f"its parameters, {', '.join(_OF_A_STRATEGY)}"
            raise _SpecError(f"a strategy's {field} cannot be swept; allowed are {allowed}")
        case ("strategies", _, _) | ("engine", "initial_capital_quote"):
            return
        case (section, _) if section in _SECTIONS and path not in _LIVE_ONLY:
            return
    raise _SpecError(
        "it changes nothing between simulations of the same candles; strategies' parameters and weights, "
        f"engine.initial_capital_quote and most settings of {', '.join(_SECTIONS)} can be swept"
    )


class _Check:
    """Whether a setting or parameter takes a value, by the rules of the settings file."""

    def __init__(self, tree: Tree, path: Path) -> None:
        self._path = path
        self._tree = tree
        self._parameter = None
        if path[0] == "strategies" and path[2] == "params":
            entry = _entry(tree, path[1])
            known = declared(strategy_class(entry["type"], entry.get("path")))
            if path[3] not in known:
                names = [*known, *_OF_A_STRATEGY]
                raise SettingsError(
                    f"{key_of(path)}: {entry['type']} has no parameter {path[3]!r}; "
                    f"{suggestion(path[3], names)}"
                )
            self._parameter = known[path[3]]

    def __call__(self, value: Value) -> Value:
        """The value as the setting keeps it; raises SettingsError or StrategyError."""
        if self._parameter is not None:
            try:
                found = self._parameter.parse(value)
            except InputError as error:
                raise SettingsError(f"{key_of(self._path)}: {error}") from None
            return Decimal(str(value)) if isinstance(found, float) else found
        tree = copy.deepcopy(self._tree)
        put(tree, self._path, value)
        kept: Value = _value_at(parse_settings(tree), self._path)
        return kept


def _entry(tree: Tree, name: str) -> dict[str, Any]:
    return next(each for each in tree["strategies"] if each["name"] == name)


def _value_at(settings: Settings, path: Path) -> Any:
    if path[0] == "strategies":
        chosen: StrategySettings = next(each for each in settings.strategies if each.name == path[1])
        return getattr(chosen, path[2])
    return getattr(getattr(settings, path[0]), path[1])


def _read(key: str, path: Path, text: str, check: _Check) -> Dimension:
    if "," in text:
        return Dimension(key, path, text, _choices(text, path, check))
    if found := _STEPS.fullmatch(text):
        low, high, step = map(Decimal, found.groups())
        if step <= 0:
            raise _SpecError(f"the step must be over 0, and {step} is not")
        return Dimension(key, path, text, _steps(low, high, step, check))
    if found := _RANGE.fullmatch(text):
        low, high = map(Decimal, found.groups())
        if low == high:
            raise _SpecError(f"the range is empty; {high} must be over {low}")
        return Dimension(key, path, text, _steps(low, high, None, check), stepless=True)
    raise _SpecError(_SHAPES)


def _choices(text: str, path: Path, check: _Check) -> Choices:
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise _SpecError("a value is missing between the commas")
    options = tuple(check(parse_text(part, path)) for part in parts)
    if len(set(options)) < len(options):
        raise _SpecError("a value is there twice")
    return Choices(options)


def _steps(low: Decimal, high: Decimal, step: Decimal | None, check: _Check) -> Steps:
    """From low to high; without a step, every whole number or as fine as a setting can be."""
    if high < low:
        raise _SpecError(f"the range is reversed; {high} is under {low}")
    kept = check(low)
    if isinstance(kept, bool) or not isinstance(kept, int | Decimal):
        raise _SpecError("this setting takes no numbers; list its values as A,B,C")
    whole = isinstance(kept, int)
    if step is None:
        finest = max(FINEST_DECIMALS, decimal_places(low), decimal_places(high))
        step = Decimal(1) if whole else Decimal(1).scaleb(-finest)
    if whole and step != int(step):
        raise _SpecError(f"this setting takes whole numbers, and the step {step} is not one")
    steps = Steps(low, step, _whole_steps(low, high, step) + 1, whole)
    for index in (min(1, steps.count - 1), steps.count - 1):
        check(steps.value(index))
    return steps


def _whole_steps(low: Decimal, high: Decimal, step: Decimal) -> int:
    """How many steps fit; in whole numbers, since a quotient may have more digits than a Decimal."""
    units = [int(each.scaleb(12)) for each in (low, high, step)]
    return (units[1] - units[0]) // units[2]
