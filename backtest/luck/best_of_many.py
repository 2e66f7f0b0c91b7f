"""The best of many against what the best of as many shows without skill."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_BINS = 40


class Histogram(Struct, frozen=True):
    """How many values lie between neighbouring edges; there is one edge more than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def histogram(values: Floats) -> Histogram:
    """The finite values in equal bins, about the square root of their number, at most 40."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Histogram((), ())
    bins = min(_MOST_BINS, max(1, math.isqrt(finite.size))) if np.ptp(finite) > 1e-9 else 1
    counts, edges = np.histogram(finite, bins)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))


def probability_at_least(observed: float, null_bests: Floats) -> float:
    """The probability, without skill, of a best at least as good as the observed one.

    (1 + how many are at least as good) / (1 + how many there are): what was observed is one of the
    cases, so that it is never 0 (Davison and Hinkley 1997, 4.11; Phipson and Smyth 2010).
    """
    return float((1 + np.count_nonzero(null_bests >= observed)) / (1 + len(null_bests)))


def raised(null_bests: Floats, covered: int, made: int) -> Floats:
    """Bests of `covered` trials, raised to what they would be of `made` trials.

    A maximum is close to Gumbel distributed, with scale s sqrt(6) / pi for a deviation s; n times as
    many independent draws move it by scale x ln(n) (Gumbel 1958, 5.2). Trials that resemble one another
    move it less, so this errs towards luck.
    """
    finite = null_bests[np.isfinite(null_bests)]
    if made <= covered or finite.size < 2:
        return null_bests
    scale = float(finite.std(ddof=1)) * math.sqrt(6) / math.pi
    return null_bests + scale * math.log(made / covered)


def as_floats(values: Sequence[float | None]) -> Floats:
    """The values as an array; NaN for None."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
