"""What the report of a sweep is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from backtest.luck.verdict import Luck
from backtest.results import RunResult
from trading.history import History
from trading.statistics import Figures

_FIGURES = frozenset(Figures.__struct_fields__)
_NO_KEYS = _FIGURES | {"trial", "error"}


@dataclass(frozen=True)
class WalkForwardWindow:
    """One window: what was chosen in the sample, and the objective there and out of it.

    Ranges are open times in ms, the first included, the last excluded.
    """

    in_sample_ms: tuple[int, int]
    out_of_sample_ms: tuple[int, int]
    params: Mapping[str, Any]
    in_sample: float | None
    out_of_sample: float | None
    out_of_sample_return_percent: float | None = None


@dataclass(frozen=True)
class WalkForwardReport:
    """The windows in order, and the out-of-sample equity in quote at the closes `times_ms`, as one curve."""

    windows: Sequence[WalkForwardWindow]
    times_ms: Sequence[int]
    equity: Sequence[float]
    anchored: bool = False
    efficiency_percent: float | None = None
    quote: str = ""


@dataclass(frozen=True)
class SweepReport:
    """A finished sweep.

    `facts` are its title facts in order (command, data, range, method, ...), shown as they are. `trials`
    has the columns `trial`, one for each swept key (such as `cross.fast`), every figure of rulebook 8 by
    its name, and `error` (null where the trial ran). `made` and `failed` count trials. `best` is the
    number of the best trial, None when none could be ranked. With `run` and its `histories`, the best
    trial's own charts are in the report too. `simulated` says that the candles are made up.
    """

    title: str
    facts: Mapping[str, str]
    objective: str
    trials: pl.DataFrame
    made: int
    failed: int
    best: int | None = None
    minimised: bool = False
    run: RunResult | None = None
    histories: Sequence[History] = ()
    walk_forward: WalkForwardReport | None = None
    luck: Luck | None = None
    simulated: bool = False

    @property
    def keys(self) -> list[str]:
        """The swept keys."""
        return [name for name in self.trials.columns if name not in _NO_KEYS]

    @cached_property
    def scored(self) -> pl.DataFrame:
        """The trials that have the objective, the best first, with it as a finite float in `score`."""
        scored = self.trials.with_columns(score=pl.col(self.objective).cast(pl.Float64))
        if self.minimised:
            scored = scored.filter(pl.col("trades") > 0)
        kept = scored.filter(pl.col("score").is_finite())
        order = kept.sort(["score", "trial"], descending=[not self.minimised, False])
        if self.best is None:
            return order
        is_best = pl.col("trial") == self.best
        return pl.concat([order.filter(is_best), order.filter(~is_best)])

    @property
    def has_best(self) -> bool:
        """Whether the first of the scored trials is the best one."""
        return self.scored.height > 0 and self.scored["trial"][0] == self.best
