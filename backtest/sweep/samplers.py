"""Which combinations a sweep tries: all, some by chance, or where optuna expects good ones.

Trials come in rounds: a range of numbers, and where each number's combination is in the space. A
round is complete before the next begins. The same seed and scores give the same trials.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from backtest.sweep.space import Choices, Dimension, Space

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.trial import Trial as OptunaTrial

Method = Literal["grid", "random", "bayes"]
METHODS: tuple[Method, ...] = ("grid", "random", "bayes")
ScoreOf = Callable[[int], float | None]

# A fixed size, so that what is proposed does not depend on how many workers there are.
BAYES_ROUND = 16
_ATTEMPTS = 10
_TURNS = 6


class Round(NamedTuple):
    """Trials that can be made in any order: their numbers, and the place of each."""

    numbers: range
    place_of: Callable[[int], int]


def rounds(method: Method, space: Space, trials: int, seed: int, score_of: ScoreOf) -> Iterator[Round]:
    """The rounds of a method; `score_of` is asked for a trial's score (more is better, None failed)
    once its round is complete. `trials` is at most the space's count."""
    if method == "bayes":
        yield from _bayes(space, trials, seed, score_of)
    elif method == "random":
        yield Round(range(trials), lambda number: shuffled(number, space.count, seed))
    else:
        yield Round(range(trials), lambda number: number)


def shuffled(position: int, count: int, seed: int) -> int:
    """Where `position` of `count` goes in a shuffle that is never built.

    A bijection of 0 to count - 1: a Feistel network over the next power of four, walked until it
    lands inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = position >> half, position & mask
        for turn in range(_TURNS):
            left, right = right, left ^ (_hash(seed, turn, right) & mask)
        position = left << half | right
        if position < count:
            return position


def _hash(seed: int, turn: int, half: int) -> int:
    return int.from_bytes(hashlib.blake2b(b"%d %d %d" % (seed, turn, half)).digest())


def _bayes(space: Space, trials: int, seed: int, score_of: ScoreOf) -> Iterator[Round]:
    """Tree-structured Parzen estimator (Bergstra et al. 2011), asked for a round at a time."""
    proposals = _Proposals(space, seed)
    for start in range(0, trials, BAYES_ROUND):
        numbers = range(start, min(start + BAYES_ROUND, trials))
        asked = {number: proposals.ask() for number in numbers}
        places = {number: place for number, (_, place) in asked.items()}
        yield Round(numbers, places.__getitem__)
        for number, (trial, _) in asked.items():
            proposals.tell(trial, score_of(number))


class _Proposals:
    """optuna's proposals, no place twice."""

    def __init__(self, space: Space, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32)
        self._study: OptunaStudy = optuna.create_study(direction="maximize", sampler=sampler)
        self._space = space
        self._seed = seed
        self._distributions = {each.key: _distribution(each) for each in space.dimensions}
        self._taken: set[int] = set()
        self._chance = 0

    def ask(self) -> "tuple[OptunaTrial, int]":
        for _ in range(_ATTEMPTS):
            trial, place = self._proposed()
            if place not in self._taken:
                break
            self.tell(trial, None)
        else:
            trial, place = self._by_chance()
        self._taken.add(place)
        return trial, place

    def tell(self, trial: "OptunaTrial", score: float | None) -> None:
        from optuna.trial import TrialState

        if score is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, score)

    def _proposed(self) -> "tuple[OptunaTrial, int]":
        trial = self._study.ask(self._distributions)
        return trial, self._space.place([trial.params[each.key] for each in self._space.dimensions])

    def _by_chance(self) -> "tuple[OptunaTrial, int]":
        """The next combination of the shuffle that nobody has taken, given to optuna as its own."""
        count = self._space.count
        while (place := shuffled(self._chance, count, self._seed)) in self._taken:
            self._chance += 1
        self._study.enqueue_trial(dict(self._indices(place)))
        return self._proposed()

    def _indices(self, place: int) -> Iterator[tuple[str, int]]:
        for dimension in reversed(self._space.dimensions):
            place, index = divmod(place, dimension.values.count)
            yield dimension.key, index


def _distribution(dimension: Dimension) -> Any:
    """Indices of the values: numbers for what has an order, categories for what has none."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    values = dimension.values
    if isinstance(values, Choices) and not values.ascending:
        return CategoricalDistribution(tuple(range(values.count)))
    return IntDistribution(0, values.count - 1)
