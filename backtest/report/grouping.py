"""A swept parameter's values in few groups, so that many trials fit a chart."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from backtest.report.labels import short
from backtest.report.markup import chart_text
from backtest.report.sampling import Rows
from backtest.report.theme import Figure, axis

MOST_GROUPS = 24
_MOST_TICKS = 12
_LONGEST = 18


@dataclass(frozen=True, eq=False)
class Grouped:
    """A swept key with its values in few groups: for each trial the place of its value, and labels."""

    key: str
    places: Rows
    labels: Sequence[str]

    @staticmethod
    def of(trials: pl.DataFrame, key: str) -> "Grouped":
        """Each value by itself while they are few; else numbers in groups of about equal size, each
        labelled with its middle."""
        values = trials[key]
        distinct = values.drop_nulls().unique().sort()
        if len(distinct) <= MOST_GROUPS or not values.dtype.is_numeric():
            kept = distinct.head(MOST_GROUPS - 1) if len(distinct) > MOST_GROUPS else distinct
            labels = [short(each) for each in kept.to_list()]
            places = _places(values, kept)
            if (places == len(kept)).any():
                labels.append("others")
            return Grouped(key, places, labels)
        floats = values.cast(pl.Float64).to_numpy()
        edges = np.unique(np.nanquantile(floats, np.linspace(0, 1, MOST_GROUPS + 1)))
        places = np.clip(np.searchsorted(edges, floats, side="right") - 1, 0, len(edges) - 2)
        labels = [f"{(low + high) / 2:.3g}" for low, high in itertools.pairwise(edges.tolist())]
        return Grouped(key, places, labels)

    def explained(self, scores: pl.Series) -> float:
        """The part of the scores' variance that lies between the groups, by ranks: 0 to 1."""
        ranks = scores.rank().to_numpy()
        counts = np.bincount(self.places, minlength=len(self.labels))
        means = np.bincount(self.places, weights=ranks, minlength=len(self.labels)) / np.maximum(counts, 1)
        whole = float(np.var(ranks)) * len(ranks)
        return float((counts * (means - ranks.mean()) ** 2).sum()) / whole if whole else 0.0

    def axis(self) -> Figure:
        """An axis on which each group has its place, labelled; two groups may have the same label."""
        texts = [label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…" for label in self.labels]
        step = -(-len(texts) // _MOST_TICKS)
        return axis(
            chart_text(self.key),
            tickvals=list(range(0, len(texts), step)),
            ticktext=[chart_text(text) for text in texts[::step]],
            showgrid=False,
            zeroline=False,
        )


def _places(values: pl.Series, kept: pl.Series) -> Rows:
    """The row of each value among those kept; one past the last for any other."""
    known = pl.DataFrame({"value": kept, "place": np.arange(len(kept))})
    found = values.to_frame("value").join(known, on="value", how="left", maintain_order="left")
    return found["place"].fill_null(len(kept)).to_numpy()
