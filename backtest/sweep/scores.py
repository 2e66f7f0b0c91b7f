"""What is known of a pass while it runs: which trials are done, how good they are, which is the best."""

import numpy as np
import polars as pl

from backtest.sweep.objective import Objective


class Scores:
    """A score for each trial that is done, by number; more is better. A few bytes a trial."""

    def __init__(self, trials: int, objective: Objective) -> None:
        self._objective = objective
        self._scores = np.full(trials, np.nan)
        self.is_done = np.zeros(trials, bool)
        self.failed = 0

    def take(self, trials: pl.DataFrame) -> None:
        """Take note of trials that are done."""
        numbers = trials["trial"].to_numpy()
        self.is_done[numbers] = True
        self._scores[numbers] = (
            trials.select(self._objective.score().fill_null(np.nan)).to_series().to_numpy()
        )
        self.failed += trials.height - trials["error"].null_count()

    @property
    def columns(self) -> list[str]:
        """The columns of trials that `take` looks at."""
        return list(dict.fromkeys(("trial", "error", "trades", self._objective.name)))

    @property
    def done(self) -> int:
        """How many are done."""
        return int(np.count_nonzero(self.is_done))

    def of(self, number: int) -> float | None:
        """A trial's score; None when it has none."""
        score = float(self._scores[number])
        return None if np.isnan(score) else score

    @property
    def best(self) -> int | None:
        """The number of the best trial, the first of equals; None when none has a score."""
        return None if np.isnan(self._scores).all() else int(np.nanargmax(self._scores))

    @property
    def best_value(self) -> float | None:
        """The best trial's objective as it is shown."""
        score = self.best_score
        return -score if score is not None and self._objective.minimised else score

    @property
    def best_score(self) -> float | None:
        """The best trial's score."""
        return None if self.best is None else self.of(self.best)
