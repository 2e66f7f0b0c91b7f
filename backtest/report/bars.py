"""Histograms as bars."""

import itertools
from typing import Any

import numpy as np

from backtest.report.labels import short
from backtest.report.sampling import packed
from backtest.report.theme import STRATEGY, Figure


def bars(edges: Any, counts: Any, what: str, unit: str = "", color: str = STRATEGY) -> Figure:
    """A histogram: one bar between each two neighbouring edges, hovering with `what` it counts."""
    borders = np.asarray(edges, dtype=np.float64)
    unit = f" {unit}" if unit else ""
    return {
        "type": "bar",
        "x": packed((borders[1:] + borders[:-1]) / 2),
        "y": packed(counts),
        "width": packed(np.diff(borders)),
        "marker": {"color": color},
        "hovertext": [
            f"{short(low)} to {short(high)}{unit}" for low, high in itertools.pairwise(borders.tolist())
        ],
        "hovertemplate": "%{hovertext}: %{y:,} " + what + "<extra></extra>",
        "showlegend": False,
    }
