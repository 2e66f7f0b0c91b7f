"""What a sweep is asked to try, checked before its candles are read."""

from collections.abc import Sequence

from backtest.sweep.samplers import METHODS, Method
from backtest.sweep.space import Space
from backtest.sweep.specs import space_of
from trading.errors import InputError, suggestion
from trading.settings import Settings
from trading.strategies.registry import made_strategies

DEFAULT_TRIALS = 100


def checked_space(specs: Sequence[tuple[str, str]], settings: Settings) -> Space:
    """The space of (key, spec) pairs over the settings that all trials share.

    Raises what `space_of` raises, and StrategyError for a strategy that the sweep does not vary and that
    would fail in every trial.
    """
    space = space_of(specs, settings)
    varied = {each.path[1] for each in space.dimensions if each.path[0] == "strategies"}
    others = tuple(each for each in settings.strategies if each.name not in varied)
    made_strategies(settings.model_copy(update={"strategies": others}))
    return space


def method_named(name: str) -> Method:
    """The method of a name; raises InputError, naming --method, when there is none."""
    for method in METHODS:
        if method == name:
            return method
    raise InputError(f"--method: there is no method {name!r}; {suggestion(name, METHODS)}")


def trial_count(method: Method, space: Space, trials: int | None) -> int:
    """How many trials a method makes in this space when so many are asked for.

    Raises InputError, naming --set or --trials, when it cannot make them.
    """
    if not space.dimensions:
        raise InputError("--set: nothing to sweep; give at least one range, such as cross.fast=5:50:5")
    if trials is not None and trials < 1:
        raise InputError(f"--trials: {trials} is not a whole number from 1 on")
    if method != "grid":
        return min(space.count, trials or DEFAULT_TRIALS)
    for each in space.dimensions:
        if each.stepless:
            raise InputError(
                f"--set {each.key}={each.text}: a grid needs steps, such as "
                f"{each.text.replace('..', ':')}:STEP; --method random and bayes take ranges"
            )
    if trials is not None and trials != space.count:
        raise InputError(
            f"--trials: a grid makes all of its {space.count:,} trials; --method random makes some of them"
        )
    return space.count
