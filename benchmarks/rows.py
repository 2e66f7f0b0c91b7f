"""The rows of the result: medians in their units, and how many times better than the peers they are."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.job import ONE_PROCESS_TRIALS
from benchmarks.measures import BACKTESTING, OURS, SWEEP_WORKERS, VECTORBT, Samples
from benchmarks.processes import Sample

LESS_IS_BETTER = ("s", "MB")


@dataclass(frozen=True)
class Row:
    """A measure: its unit, and each project's value."""

    title: str
    unit: str
    values: Mapping[str, float]

    def times_better(self, peer: str) -> float | None:
        """How many times better ours is; None where one of the two is not known."""
        ours, theirs = self.values.get(OURS), self.values.get(peer)
        if not ours or not theirs:
            return None
        return theirs / ours if self.unit in LESS_IS_BETTER else ours / theirs


def rows_of(samples: Samples, candles: int) -> list[Row]:
    """All rows that these samples give."""
    median = _Medians(samples)
    rows = [
        Row("loop alone", "candles/s", median.rates("loop", candles)),
        Row("loop with signals", "candles/s", median.rates("signals", candles)),
        Row("trial, all figures", "trials/s", median.rates("trial", 1)),
        Row("20 trials in a row", "trials/s", median.rates("trials", len(ONE_PROCESS_TRIALS))),
        Row("memory of these", "MB", median.peaks()),
        Row("reference engine", "candles/s", _reference(median, candles)),
        Row("process: whole", "s", median.seconds("process")),
        Row("process: memory", "MB", median.facts("process", "peak_mb")),
        *_sweep_rows(median),
        *_long_rows(median),
    ]
    return [row for row in rows if row.values]


def _reference(median: "_Medians", candles: int) -> dict[str, float]:
    """Ours by the reference engine; the peer does the same with its one engine."""
    ours = median.rates("reference", candles)
    return ours and ours | {
        name: rate for name, rate in median.rates("trial", candles).items() if name == BACKTESTING
    }


def _sweep_rows(median: "_Medians") -> Iterator[Row]:
    """The sweep by number of workers; the peer's rate is that of its one thread."""
    one_thread = median.rates("trials", len(ONE_PROCESS_TRIALS))
    peer = {name: rate for name, rate in one_thread.items() if name == VECTORBT}
    rates = {}
    for workers in SWEEP_WORKERS:
        name, title = f"sweep {workers}", f"sweep by {workers}"
        rates[workers] = rate = median.facts(name, "trials_per_second")
        yield Row(f"{title}: rate", "trials/s", rate and rate | peer)
        yield Row(f"{title}: whole", "s", median.facts(name, "wall_seconds"))
        yield Row(f"{title}: memory", "MB", median.facts(name, "peak_mb"))
    few, many = min(SWEEP_WORKERS), max(SWEEP_WORKERS)
    if rates[few] and rates[many]:
        scaling = 100 * rates[many][OURS] / rates[few][OURS] * few / many
        yield Row("sweep: scaling", "%", {OURS: scaling})


def _long_rows(median: "_Medians") -> Iterator[Row]:
    yield Row("long: rate", "trials/s", median.facts("long", "trials_per_second"))
    yield Row("long: memory", "MB", median.facts("long", "peak_mb"))
    yield Row("long: driver grew", "MB", median.facts("long", "driver_growth_mb"))
    yield Row("long: all grew", "MB", median.facts("long", "tree_growth_mb"))


class _Medians:
    """Medians of samples by project; a project without samples is left out."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def seconds(self, name: str) -> dict[str, float]:
        return self._of(name, lambda sample: sample.seconds)

    def rates(self, name: str, amount: int) -> dict[str, float]:
        return {project: amount / seconds for project, seconds in self.seconds(name).items()}

    def facts(self, name: str, fact: str) -> dict[str, float]:
        return self._of(name, lambda sample: sample.facts.get(fact))

    def peaks(self) -> dict[str, float]:
        """The most memory of each project's server; the compiled engine's for ours."""
        peaks: dict[str, float] = {}
        for (name, project), taken in self._samples.items():
            if "trades" in taken[0].facts and name != "reference":
                peaks[project] = max(peaks.get(project, 0.0), taken[-1].facts["peak_mb"])
        return peaks

    def _of(self, name: str, value: Callable[[Sample], float | None]) -> dict[str, float]:
        found: dict[str, float] = {}
        for (taken_name, project), taken in self._samples.items():
            values = [each for each in map(value, taken) if each is not None]
            if taken_name == name and values:
                found[project] = statistics.median(values)
        return found
