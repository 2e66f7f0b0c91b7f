"""What a sweep found, as one document: summary.json, and what `--json` prints."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl

from backtest.luck.verdict import Luck
from backtest.sweep import walk_forward
from backtest.sweep.objective import FIGURES
from backtest.sweep.plan import SweepPlan
from backtest.sweep.walk_forward import WalkForward
from backtest.sweep.windows import span_of
from trading.timeframe import iso

TOP = 10
_A_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def summary_of(
    plan: SweepPlan,
    trials: pl.DataFrame,
    place_of: Callable[[int], int],
    walk: WalkForward | None,
    luck: Luck | None,
) -> dict[str, Any]:
    """The document; `trials` are all of them, `place_of` tells a trial's place in the space."""
    span = span_of(plan.study)
    top = [
        {
            "trial": row["trial"],
            "params": params_of(plan, place_of(row["trial"])),
            "figures": {name: row[name] for name in FIGURES},
        }
        for row in plan.objective.best(trials, TOP).iter_rows(named=True)
    ]
    failed = trials.height - trials["error"].null_count()
    return {
        "id": plan.id,
        "luck": msgspec.to_builtins(luck),
        "method": plan.method,
        "objective": plan.objective.name,
        "minimised": plan.objective.minimised,
        "seed": plan.seed,
        "set": plan.facts["set"],
        "start": iso(span.from_ms),
        "end": iso(span.to_ms),
        "trials": {"made": trials.height, "failed": failed, "of_combinations": plan.space.count},
        "best": top[0] if top else None,
        "top": top,
        "errors": errors_of(trials),
        "walk_forward": walk_forward.summary_of(plan, walk) if walk else None,
        "data": plan.facts["data"],
        "settings": plan.facts["settings"],
    }


def params_of(plan: SweepPlan, place: int) -> dict[str, Any]:
    """The values of the combination at a place, by key."""
    keys = (each.key for each in plan.space.dimensions)
    return dict(zip(keys, plan.space.values(place), strict=True))


def errors_of(trials: pl.DataFrame) -> list[dict[str, Any]]:
    """The kinds of errors, the most frequent first: errors that differ in numbers alone are one kind.

    Each with its first text, the first trial that had it, and how many had it.
    """
    kinds: dict[str, dict[str, Any]] = {}
    texts = (
        trials.select("trial", "error")
        .drop_nulls("error")
        .group_by("error")
        .agg(pl.col("trial").min(), pl.len())
        .sort("trial")
    )
    for error, first, count in texts.iter_rows():
        kind = kinds.setdefault(
            _A_NUMBER.sub("#", error), {"error": error, "first_trial": first, "trials": 0}
        )
        kind["trials"] += count
    return sorted(kinds.values(), key=lambda kind: -kind["trials"])[:TOP]
