"""How far a sweep is, for whoever watches."""

import time
from typing import Literal

from msgspec import Struct

State = Literal["queued", "running", "cancelled", "failed", "done"]


class Progress(Struct, frozen=True):
    """Trials done and to do over all passes; `best` is the objective's best value of this pass.

    `passing` is 0 over the whole range, then the walk-forward window. Rate and time left count what
    this process made; None until there is something to go by. `permuted` counts the sweeps over permuted
    candles that are done, once the trials are.
    """

    done: int
    total: int
    failed: int
    passing: int
    best: float | None
    per_second: float | None
    seconds_left: float | None
    permuted: int = 0


def in_words(progress: Progress, objective: str) -> str:
    """Its rate, the time left, the best so far, and how many failed, as far as they are known."""
    parts = []
    if progress.per_second is not None:
        parts.append(f"{progress.per_second:,.1f}/s")
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        parts.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
    if progress.best is not None:
        parts.append(f"best {objective} {progress.best:,.2f}")
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    return "  ".join(parts)


class Pace:
    """How fast trials are made, from the first ones on: starting the workers does not count."""

    def __init__(self) -> None:
        self._first_at: float | None = None
        self._since = 0

    def add(self, trials: int) -> None:
        """So many more are done."""
        if self._first_at is None:
            self._first_at = time.monotonic()
        else:
            self._since += trials

    @property
    def per_second(self) -> float | None:
        """Trials a second; None before the second batch."""
        if self._first_at is None or not self._since:
            return None
        return self._since / max(time.monotonic() - self._first_at, 1e-9)
