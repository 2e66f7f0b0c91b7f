"""What a sweep looks for: one figure of rulebook 8, and which way it is better."""

import polars as pl
from msgspec import Struct

from trading.errors import InputError, suggestion
from trading.statistics import Figures

DEFAULT_OBJECTIVE = "sharpe"
# Risk, cost and time in the market: less is better. Of everything else, more is.
MINIMISED = frozenset(
    {
        "volatility_percent", "max_drawdown_percent", "max_drawdown_days", "exposure_percent",
        "average_holding_hours", "longest_holding_hours", "fees_quote", "turnover_quote",
    }
)  # fmt: skip
# They follow from the candles alone.
_THE_SAME_FOR_ALL = frozenset({"buy_and_hold_percent", "candles", "candles_filled"})
FIGURES = Figures.__struct_fields__


class Objective(Struct, frozen=True):
    """The figure by which trials are ranked."""

    name: str

    @property
    def minimised(self) -> bool:
        """Whether less is better."""
        return self.name in MINIMISED

    def score(self) -> pl.Expr:
        """How good a trial is, more being better; null, the last rank, when that cannot be said.

        That is where the figure is null, and where less is better and nothing was traded: not to
        trade has no risk, and says nothing of the settings.
        """
        value = pl.col(self.name).cast(pl.Float64)
        return pl.when(pl.col("trades") > 0).then(-value) if self.minimised else value

    def score_of(self, figures: Figures) -> float | None:
        """The same of one trial's figures."""
        value = getattr(figures, self.name)
        if value is None or (self.minimised and not figures.trades):
            return None
        return -float(value) if self.minimised else float(value)

    def best(self, trials: pl.DataFrame, most: int) -> pl.DataFrame:
        """The best of trials that are in the order of their numbers, the best first; equal ones by number."""
        scores = trials.select("trial", score=self.score()).drop_nulls("score")
        ranked = scores.sort(["score", "trial"], descending=[True, False]).head(most)
        return trials[ranked["trial"]]


def objective_named(name: str) -> Objective:
    """The objective of a name; raises InputError, naming --objective, when no trial is ranked by it."""
    allowed = [each for each in FIGURES if each not in _THE_SAME_FOR_ALL]
    if name in _THE_SAME_FOR_ALL:
        raise InputError(f"--objective: {name!r} is the same for every trial; {suggestion('', allowed)}")
    if name not in allowed:
        raise InputError(f"--objective: there is no figure {name!r}; {suggestion(name, allowed)}")
    return Objective(name)
