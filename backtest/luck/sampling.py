"""Which trials keep their daily returns for the statistics of luck."""

import numpy as np
from numpy.typing import NDArray

MOST_TRIALS = 1_000


def sampled_trials(trials: int, seed: int, best: int | None = None) -> NDArray[np.int64]:
    """The numbers, from 0, of at most 1,000 of so many trials, ascending; all of them when there are no more.

    The same count and seed choose the same trials. `best`, when it was not chosen, takes the place of
    one that was: whoever keeps the chosen trials' returns and the best's has all that is needed.
    """
    if trials <= MOST_TRIALS:
        return np.arange(trials, dtype=np.int64)
    chosen = np.random.default_rng(seed).choice(trials, MOST_TRIALS, replace=False)
    if best is not None and best not in chosen:
        chosen[-1] = best
    return np.sort(chosen).astype(np.int64)
