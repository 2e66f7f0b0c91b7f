"""The plan of a sweep: everything that its results follow from, checked before anything runs."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from backtest.simulation import shown_settings
from backtest.sweep.choices import checked_space, method_named, trial_count
from backtest.sweep.objective import DEFAULT_OBJECTIVE, Objective, objective_named
from backtest.sweep.samplers import Method
from backtest.sweep.space import Space, Value
from backtest.sweep.specs import tree_of
from backtest.sweep.windows import Window, span_of, windows_of
from backtest.trial import Study
from trading.date_range import select_range
from trading.errors import AutotraderError, InputError
from trading.history import History
from trading.setting_keys import Tree, put
from trading.settings import EngineSettings, Settings, parse_settings
from trading.strategies.registry import made_strategies
from trading.timeframe import iso, timeframe_name

MOST_TRIALS = 1_000_000
_MOST_CORNERS = 256


class Applied:
    """Settings for one combination after another, each value checked as in the settings file."""

    def __init__(self, settings: Settings, space: Space) -> None:
        self._tree: Tree = tree_of(settings)
        self._space = space

    def at(self, place: int) -> Settings:
        """The settings of the combination at a place; raises SettingsError for what is not allowed."""
        return self.with_values(self._space.values(place))

    def with_values(self, values: Sequence[Value]) -> Settings:
        """The settings with one value per dimension."""
        for dimension, value in zip(self._space.dimensions, values, strict=True):
            put(self._tree, dimension.path, value)
        return parse_settings(self._tree)


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep tries, on what, and how the best is told; made and checked by `make_plan`.

    `settings` are those that all trials share. `trials` is how many the method makes in each pass: one
    pass over the whole range, and one more for each walk-forward window. `permutations` is over how many
    orders of the candles they are tried again, to see what luck finds.
    """

    settings: Settings
    space: Space
    study: Study
    method: Method
    trials: int
    objective: Objective
    seed: int
    windows: tuple[Window, ...] = ()
    anchored: bool = False
    permutations: int = 0

    @property
    def all_trials(self) -> int:
        """How many trials all passes make."""
        return self.trials * (1 + len(self.windows))

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Everything that the results follow from, as a JSON document; candles by their hash."""
        return {
            "method": self.method,
            "objective": self.objective.name,
            "seed": self.seed,
            "walk_forward": len(self.windows),
            "anchored": self.anchored,
            "permutations": self.permutations,
            "set": {each.key: each.text for each in self.space.dimensions},
            "from": iso(span_of(self.study).from_ms),
            "to": iso(span_of(self.study).to_ms),
            "trials": self.trials,
            "data": {each.market.symbol: _history_hash(each) for each in self.study.histories},
            "strategy_files": {
                each.path: _file_hash(Path(each.path)) for each in self.settings.strategies if each.path
            },
            "settings": shown_settings(self.settings),
        }

    @cached_property
    def id(self) -> str:
        """Names the sweep: the same for the same facts."""
        return hashlib.sha256(msgspec.json.encode(self.facts, order="deterministic")).hexdigest()[:16]


def make_plan(
    settings: Settings,
    specs: Sequence[tuple[str, str]],
    histories: Sequence[History],
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    method: str = "grid",
    trials: int | None = None,
    objective: str = DEFAULT_OBJECTIVE,
    seed: int = 1,
    walk_forward: int = 0,
    anchored: bool = False,
    permutations: int = 0,
    max_trials: int = MOST_TRIALS,
) -> SweepPlan:
    """The plan of a sweep of (key, spec) pairs over histories.

    `trials` is for random (all different) and bayes; a grid makes all combinations. Raises InputError,
    naming the option, for anything that cannot be swept: unknown names, values that are not allowed,
    more trials than `max_trials`, too few candles to warm up or for the walk-forward.
    """
    chosen = select_range(histories, from_ms, to_ms)
    study = Study(chosen.histories, chosen.first_open_ms)
    shared = _of_the_data(settings, study)
    space = checked_space(specs, shared)
    known = method_named(method)
    plan = SweepPlan(
        settings=shared,
        space=space,
        study=study,
        method=known,
        trials=trial_count(known, space, trials),
        objective=objective_named(objective),
        seed=seed,
        windows=tuple(windows_of(study, walk_forward, anchored)),
        anchored=anchored,
        permutations=permutations,
    )
    _refuse_too_many(plan, max_trials)
    _refuse_short_history(plan)
    return plan


def _of_the_data(settings: Settings, study: Study) -> Settings:
    """The settings with the data's symbols and timeframe, without what a simulation does not need.

    What is left out holds addresses and secrets; results and workers never see them.
    """
    default = Settings()
    engine = {
        "symbols": tuple(each.market.symbol for each in study.histories),
        "timeframe": timeframe_name(study.histories[0].timeframe_ms),
        "initial_capital_quote": settings.engine.initial_capital_quote,
    }
    strategies = tuple(
        each.model_copy(update={"path": str(Path(each.path).absolute())}) if each.path else each
        for each in settings.strategies
    )
    return settings.model_copy(
        update={
            "engine": EngineSettings.model_validate(engine),
            "strategies": strategies,
            "exchange": default.exchange,
            "database": default.database,
            "control": default.control,
        }
    )


def _refuse_too_many(plan: SweepPlan, most: int) -> None:
    if plan.all_trials > most:
        windows = f" in {len(plan.windows) + 1} passes" if plan.windows else ""
        option = "--set" if plan.method == "grid" else "--trials"
        raise InputError(
            f"{option}: these are {plan.all_trials:,} trials{windows}, and at most {most:,} are allowed; "
            "--max-trials raises the limit"
        )


def _refuse_short_history(plan: SweepPlan) -> None:
    """Every window, the first one above all, must be longer than the longest warm-up."""
    histories = plan.study.histories
    first_ms = min(int(each.open_times_ms[0]) for each in histories if len(each.candles))
    ends = [each.in_sample.to_ms for each in plan.windows]
    last = max(int(each.open_times_ms[-1]) + each.timeframe_ms for each in histories if len(each.candles))
    candles = (min([last, *ends]) - first_ms) // histories[0].timeframe_ms
    needed, values = max(_warmups(plan), default=(0, ""))
    if candles > needed:
        return
    option, where = ("--walk-forward", "the first window") if plan.windows else ("--data", "the range")
    raise InputError(
        f"{option}: {where} ends after {candles} candles, and the strategies warm up for {needed} with "
        f"{values}; more than {needed} are needed"
    )


def _warmups(plan: SweepPlan) -> Iterator[tuple[int, str]]:
    """The longest warm-up at each corner of the space, with the corner in words."""
    applied = Applied(plan.settings, plan.space)
    ends = [sorted({0, each.values.count - 1}) for each in plan.space.dimensions]
    for indices in itertools.islice(itertools.product(*ends), _MOST_CORNERS):
        try:
            settings = applied.at(plan.space.place(indices))
            made = made_strategies(settings)
        except AutotraderError:
            continue
        values = plan.space.values(plan.space.place(indices))
        words = ", ".join(
            f"{dimension.key} {value}" for dimension, value in zip(plan.space.dimensions, values, strict=True)
        )
        yield max((each.warmup_candles for chosen, each in made if chosen.enabled), default=0), words


def _history_hash(history: History) -> str:
    """What a run sees of a history: its market and its candles."""
    found = hashlib.sha256(repr((history.market, history.timeframe_ms)).encode())
    for column in history.candles.iter_columns():
        found.update(column.to_physical().to_numpy().tobytes())
    return found.hexdigest()[:16]


def _file_hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InputError(f"path: the strategy file {path} cannot be read: {error.strerror}") from None
