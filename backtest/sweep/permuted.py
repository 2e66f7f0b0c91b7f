"""Sweeps over candles in random order: what the same settings find where there is nothing to find."""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from backtest.sweep.objective import Objective
from backtest.sweep.plan import SweepPlan

# So many of the trials say what the best of all would be; the verdict allows for the rest.
MOST_TRIALS = 200


class Permuted(Struct, frozen=True):
    """A sweep to make over permuted candles: the places of its combinations, and what is best."""

    places: tuple[int, ...]
    objective: Objective


def permuted_sweep(plan: SweepPlan, places: list[int]) -> Permuted:
    """The sweep over permuted candles: the combinations at these places, or as many of them as it takes."""
    chosen = places
    if len(places) > MOST_TRIALS:
        rows = np.random.default_rng(plan.seed).permutation(len(places))[:MOST_TRIALS]
        chosen = [places[row] for row in sorted(rows.tolist())]
    return Permuted(tuple(chosen), plan.objective)


def permutation_seeds(plan: SweepPlan) -> Iterator[int]:
    """A seed for each order of the candles."""
    yield from np.random.SeedSequence(plan.seed).generate_state(plan.permutations).tolist()
