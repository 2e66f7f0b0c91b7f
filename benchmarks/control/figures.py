"""A measure, and what it must reach."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """The median and the 99th percentile of `samples`, or of what somebody else counted; a single value has
    no p99."""

    p50: float
    p99: float | None = None
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Target:
    """What must be reached in words, and the figure that is judged: at most `limit`."""

    words: str
    figure: float
    limit: float

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.figure <= self.limit


@dataclass(frozen=True)
class Row:
    """One line of the table; `peer` names what `beside` is."""

    measure: str
    unit: str
    figures: Figures
    peer: str = ""
    beside: Figures | None = None
    target: Target | None = None


def figures_of(samples: Sequence[float]) -> Figures:
    """Of measured values, at least one, by the nearest rank."""
    ordered = sorted(samples)
    last = len(ordered) - 1
    return Figures(ordered[round(0.5 * last)], ordered[round(0.99 * last)], tuple(samples))
