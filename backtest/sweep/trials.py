"""The trials of a sweep as a worker makes them: combinations in, one row of a table each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import polars as pl

from backtest.fast.signals import Codes, Key
from backtest.luck.null import null_best
from backtest.sweep.objective import FIGURES
from backtest.sweep.permuted import Permuted
from backtest.sweep.plan import Applied
from backtest.sweep.signals import MakeSignals, OnCandles, SignalSet
from backtest.sweep.space import Choices, Dimension, Space, Value
from backtest.sweep.windows import Span
from backtest.trial import Study, TrialResult, run_trial
from trading.errors import AutotraderError
from trading.settings import Settings
from trading.strategies.registry import made_strategies

LONGEST_ERROR = 300
WHOLE_FIGURES = frozenset({"trades", "candles", "candles_filled"})
RETURNS = "daily_returns"


class Trial(NamedTuple):
    """A trial's number, its combination's place in the space, and whether its daily returns are kept."""

    number: int
    place: int
    keeps_returns: bool


@dataclass
class Trials:
    """Makes trials of a space over histories; what it holds is shipped to a worker once."""

    study: Study
    settings: Settings
    space: Space

    def __post_init__(self) -> None:
        self._applied = Applied(self.settings, self.space)
        self._span: Span | None = None
        self._part = self.study

    def run(self, ground: OnCandles | Permuted | MakeSignals, items: Sequence[Any]) -> Any:
        """What is asked for on this ground.

        On candles, items are trials, and the answer is a table of one row each with the columns of
        `trials_schema`; a trial that fails has its error, and no figures. On permuted candles items are
        seeds, and there is a row for each: `seed`, `best`. To make signals, items are sets of them, and the
        answer is all their codes by key; a set that cannot be made is left out.
        """
        match ground:
            case Permuted():
                return self._bests(ground, items)
            case MakeSignals():
                return {key: codes for each in items for key, codes in self._signals(each).items()}
        self.study.signals.shared = ground.signals
        study = self._study_in(ground.span)
        return self._frame([self._row(study, trial) for trial in items])

    def lost(self, item: Trial | SignalSet | int, reason: str) -> Any:
        """The answer for an item that ends every process that makes it."""
        match item:
            case SignalSet():
                return {}
            case Trial():
                return self._frame([self._failed(item, reason)])
        return _bests_frame([item], [None])

    def _signals(self, wanted: SignalSet) -> dict[Key, Codes]:
        try:
            strategies = made_strategies(self._applied.at(wanted.place))
            found = {chosen.name: (chosen, strategy) for chosen, strategy in strategies}
            return self.study.signals.made(*found[wanted.strategy])
        except Exception:  # the trials that need them will say why
            return {}

    def _bests(self, permuted: Permuted, seeds: Sequence[int]) -> pl.DataFrame:
        def score(result: TrialResult) -> float | None:
            return permuted.objective.score_of(result.figures)

        bests = [null_best(self.study, self._allowed(permuted.places), score, seed) for seed in seeds]
        return _bests_frame(seeds, bests)

    def _allowed(self, places: Sequence[int]) -> Iterator[Settings]:
        """The settings at these places, without those that are not allowed."""
        for place in places:
            try:
                yield self._applied.at(place)
            except AutotraderError:
                continue

    def _study_in(self, span: Span) -> Study:
        if span != self._span:
            self._span, self._part = span, self.study.part(span.from_ms, span.to_ms)
        return self._part

    def _row(self, study: Study, trial: Trial) -> tuple[Any, ...]:
        try:
            result = run_trial(study, self._applied.at(trial.place))
        except AutotraderError as error:
            return self._failed(trial, str(error))
        except Exception as error:  # whatever a strategy does, the sweep goes on
            return self._failed(trial, f"unexpected {type(error).__name__}: {error}")
        return (*self._facts(trial), *figure_values(result), None, _returns(trial, result))

    def _failed(self, trial: Trial, error: str) -> tuple[Any, ...]:
        said = " ".join(error.split())[:LONGEST_ERROR]
        return (*self._facts(trial), *(None for _ in FIGURES), said, None)

    def _facts(self, trial: Trial) -> tuple[Any, ...]:
        return (trial.number, *map(stored, self.space.values(trial.place)))

    def _frame(self, rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=trials_schema(self.space), orient="row")


def _bests_frame(seeds: Sequence[int], bests: Sequence[float | None]) -> pl.DataFrame:
    return pl.DataFrame({"seed": seeds, "best": bests}, schema={"seed": pl.Int64(), "best": pl.Float64()})


def trials_schema(space: Space) -> dict[str, Any]:
    """The columns of trials: number, one per dimension, every figure, the error, the daily returns."""
    return {
        "trial": pl.Int64(),
        **{each.key: _type_of(each) for each in space.dimensions},
        **{name: pl.Int64() if name in WHOLE_FIGURES else pl.Float64() for name in FIGURES},
        "error": pl.String(),
        RETURNS: pl.List(pl.Float64),
    }


def figure_values(result: TrialResult) -> tuple[float | int | None, ...]:
    """Every figure as a table of statistics holds it: money too is a float there."""
    found = msgspec.structs.astuple(result.figures)
    return tuple(map(stored, found))


def stored(value: Any) -> Any:
    """A value as a column holds it."""
    return float(value) if isinstance(value, Decimal) else value


def _returns(trial: Trial, result: TrialResult) -> list[float] | None:
    return result.daily_returns.tolist() if trial.keeps_returns else None


def _type_of(dimension: Dimension) -> Any:
    values = dimension.values
    options: Sequence[Value] = values.options if isinstance(values, Choices) else [values.value(0)]
    if all(isinstance(each, bool) for each in options):
        return pl.Boolean()
    if all(isinstance(each, int) for each in options):
        return pl.Int64()
    return pl.String() if any(isinstance(each, str) for each in options) else pl.Float64()
