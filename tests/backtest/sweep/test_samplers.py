"""Which combinations the methods try."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.sweep.samplers import BAYES_ROUND, Method, rounds, shuffled
from backtest.sweep.space import Space
from backtest.sweep.specs import space_of
from trading.settings import Settings

SETTINGS = Settings()


def space(*specs: tuple[str, str]) -> Space:
    return space_of(list(specs), SETTINGS)


def places(
    method: Method, over: Space, trials: int, seed: int, score: Callable[[int], float | None]
) -> list[int]:
    """The places of all trials by number; `score` is that of a place."""
    found: dict[int, int] = {}

    def score_of(number: int) -> float | None:
        return score(found[number])

    for each in rounds(method, over, trials, seed, score_of):
        found.update((number, each.place_of(number)) for number in each.numbers)
    assert list(found) == list(range(trials))
    return list(found.values())


@given(st.integers(1, 700), st.integers(0, 2**63))
def test_shuffle_gives_every_place_once(count: int, seed: int) -> None:
    assert sorted(shuffled(position, count, seed) for position in range(count)) == list(range(count))


def test_shuffle_spreads_over_a_space_that_could_never_be_built() -> None:
    count = 10**30
    found = [shuffled(position, count, 7) for position in range(1_000)]
    assert len(set(found)) == 1_000
    assert all(0 <= each < count for each in found)
    lower = sum(each < count // 2 for each in found)
    assert 420 < lower < 580


def test_random_trials_are_different_and_more_of_them_begin_with_the_same() -> None:
    over = space(("cross.fast", "1:40:1"), ("risk.stop_loss_percent", "1..9"))
    few, many = (places("random", over, count, 3, lambda _: 0.0) for count in (50, 80))
    assert many[:50] == few
    assert len(set(many)) == 80
    assert places("random", over, 50, 4, lambda _: 0.0) != few


def test_grid_is_every_combination_in_order() -> None:
    over = space(("cross.fast", "1:4:1"), ("cross.slow", "5,6"))
    assert places("grid", over, over.count, 1, lambda _: 0.0) == list(range(8))


def test_bayes_finds_a_peak_that_few_trials_by_chance_would() -> None:
    over = space(("cross.fast", "1:100:1"), ("cross.slow", "101:200:1"))

    def score(place: int) -> float:
        fast, slow = over.values(place)
        assert isinstance(fast, int) and isinstance(slow, int)
        return -abs(fast - 37) - abs(slow - 162)

    found = places("bayes", over, 160, 1, score)
    assert len(set(found)) == 160
    assert max(map(score, found)) >= -4
    early, late = (sum(map(score, part)) / 48 for part in (found[:48], found[-48:]))
    assert late > early / 2
    assert places("bayes", over, 160, 1, score) == found


def test_bayes_without_any_score_and_with_few_combinations_tries_each_once() -> None:
    over = space(("cross.fast", "3,1,2"), ("cross.enabled", "true,false"), ("cross.slow", "5:7:1"))
    assert sorted(places("bayes", over, 18, 1, lambda _: None)) == list(range(18))


@pytest.mark.parametrize("trials", [1, BAYES_ROUND, BAYES_ROUND + 1])
def test_bayes_makes_as_many_as_asked(trials: int) -> None:
    assert len(places("bayes", space(("cross.fast", "1:99:1")), trials, 1, float)) == trials
