"""The verdict: luck is called luck, skill is found, and what cannot be computed is None."""

import math

import msgspec
import numpy as np
import pytest

from backtest.luck.deflated_sharpe import YEAR
from backtest.luck.null import NullBests
from backtest.luck.verdict import Luck, Trials, luck_of
from backtest.luck.words import percent
from tests.backtest.luck.markets import Floats, best_of, noise


def verdict(returns: Floats, market: Floats | None = None, null: NullBests | None = None) -> Luck:
    ratios = YEAR * returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    return luck_of(Trials(ratios.tolist(), returns, best_of(returns), market, (0.1, -0.1, 0.2), null), seed=1)


def skilled(days: int = 365, trials: int = 100) -> Floats:
    returns = noise(days, trials, seed=1)
    returns[:, 11] += 0.004
    return returns


def test_verdict_on_noise_calls_it_luck() -> None:
    found = [verdict(noise(200, 100, seed)) for seed in range(20)]
    probabilities = [each.probability for each in found if each.probability is not None]
    assert 0.3 < np.mean(probabilities) < 0.7
    assert sum(probability < 0.05 for probability in probabilities) <= 2
    assert (
        np.mean([each.deflated_sharpe.deflated_sharpe > 0.95 for each in found if each.deflated_sharpe]) < 0.1
    )
    assert sum("do not trade it" in each.advice or "may be luck" in each.advice for each in found) >= 18


def test_verdict_on_skill_finds_it() -> None:
    found = verdict(skilled(trials=1_000))
    assert found.sentence == (
        "Of 1,000 settings tried, the best would look this good by luck with probability under 0.1 %."
    )
    assert "hardly explains" in found.advice
    assert found.deflated_sharpe is not None
    assert found.overfitting is not None
    assert found.deflated_sharpe.deflated_sharpe > 0.99
    assert found.overfitting.probability < 0.01


def test_verdict_where_every_trial_is_skilled_finds_it_and_says_that_the_best_is_not_known() -> None:
    random = np.random.default_rng(1)
    found = verdict(0.003 + noise(365, 1, 1) + 0.001 * random.standard_normal((365, 50)))
    assert found.probability is not None
    assert found.overfitting is not None
    assert found.probability < 0.01
    assert found.overfitting.probability > 0.3


def test_verdict_on_a_rising_market_is_no_skill_for_being_in_it() -> None:
    random = np.random.default_rng(2)
    market = noise(365, 1, 3) + 0.003
    returns = market * (random.random((365, 30)) < 0.6)
    assert verdict(returns).probability == pytest.approx(0, abs=0.01)
    found = verdict(returns, market)
    assert found.probability is not None
    assert found.probability > 0.2


def test_verdict_with_permuted_sweeps_takes_the_larger_probability() -> None:
    null = NullBests(3.0, [1.0, None, 2.0, 3.5], 100)
    found = verdict(skilled(), null=null)
    assert found.permutation is not None
    assert found.reality_check is not None
    assert found.permutation.probability == pytest.approx(2 / 5) == found.probability
    assert found.reality_check.probability < 0.01


def test_verdict_with_smaller_permuted_sweeps_raises_their_bests() -> None:
    bests = list(np.random.default_rng(1).normal(2, 0.5, 99))
    whole, part = (verdict(skilled(), null=NullBests(3.2, bests, trials)) for trials in (100, 5))
    assert whole.permutation is not None
    assert part.permutation is not None
    assert part.permutation.probability > whole.permutation.probability


def test_verdict_is_json_and_the_same_for_the_same_seed() -> None:
    returns = skilled()
    assert verdict(returns) == verdict(returns)
    document = msgspec.json.decode(msgspec.json.encode(verdict(returns)), type=Luck)
    assert document == verdict(returns)


def test_verdict_ignores_trials_that_stand_still_or_have_no_returns() -> None:
    returns = skilled(trials=20)
    best = best_of(returns)
    more = np.hstack([np.zeros((365, 1)), returns, np.full((365, 1), math.nan), np.full((365, 1), 0.001)])
    ratios: list[float | None] = [None, *(YEAR * returns.mean(0) / returns.std(0)).tolist(), math.nan, None]
    found = luck_of(Trials(ratios, more, best + 1), seed=1)
    alone = luck_of(Trials(ratios[1:-2], returns, best), seed=1)
    assert (found.trials, alone.trials) == (23, 20)
    assert found.reality_check == alone.reality_check
    assert found.deflated_sharpe == alone.deflated_sharpe
    assert found.overfitting == alone.overfitting


@pytest.mark.parametrize(
    "returns",
    [
        np.zeros((0, 1)),
        np.zeros((400, 3)),
        np.full((400, 3), 0.01),
        np.full((400, 2), math.nan),
        noise(29, 5, 1),
    ],
    ids=["no days", "no trades", "constant returns", "no returns", "few days"],
)
def test_verdict_on_too_little_is_none_and_says_so(returns: Floats) -> None:
    found = luck_of(Trials([None] * returns.shape[1], returns, 0), seed=1)
    figures = (found.probability, found.reality_check, found.deflated_sharpe, found.block_bootstrap)
    assert figures == (None, None, None, None)
    assert "cannot be judged" in found.sentence
    assert "more days" in found.advice


def test_verdict_on_one_trial_speaks_of_one() -> None:
    found = verdict(noise(200, 1, 4))
    assert found.sentence.startswith("The one setting tried would look this good by luck with probability ")
    assert found.overfitting is None
    assert found.deflated_sharpe is not None
    assert found.deflated_sharpe.independent_trials == 1


def test_verdict_on_identical_trials_is_that_on_one() -> None:
    one = noise(200, 1, 5) + 0.001
    found, alone = verdict(np.repeat(one, 10, axis=1)), verdict(one)
    assert found.probability == alone.probability
    assert found.trials == 10


def test_verdict_on_the_market_itself_cannot_be_given() -> None:
    market = noise(200, 1, 6)
    assert verdict(0.5 * market, market).probability is None


def test_verdict_on_a_loser_says_that_there_is_nothing() -> None:
    found = verdict(noise(200, 5, 7) - 0.01)
    assert found.probability is not None
    assert found.probability > 0.99
    assert "nothing here to trade" in found.advice


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0005, "under 0.1 %"),
        (0.001, "0.1 %"),
        (0.0312, "3.1 %"),
        (0.0996, "10 %"),
        (0.37, "37 %"),
        (0.999, "over 99 %"),
    ],
)
def test_percent_of_a_probability_is_readable(probability: float, text: str) -> None:
    assert percent(probability) == text


def test_best_that_beats_every_permuted_sweep_keeps_the_probability_of_the_reality_check() -> None:
    returns = skilled()
    alone = verdict(returns)
    agreed = verdict(returns, null=NullBests(observed=9.0, bests=[0.5] * 19, trials=100))
    doubted = verdict(returns, null=NullBests(observed=9.0, bests=[0.5] * 9 + [9.5] * 10, trials=100))
    assert agreed.probability == alone.probability
    assert agreed.permutation is not None
    assert agreed.permutation.probability == pytest.approx(0.05)
    assert doubted.probability == pytest.approx(0.55)
