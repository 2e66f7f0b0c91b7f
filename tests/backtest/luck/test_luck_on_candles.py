"""From candles to the verdict: a random walk is luck, with drift too; a market that repeats itself is not."""

import numpy as np
import pytest

from backtest.luck.excess import market_returns
from backtest.luck.null import NullBests, null_best
from backtest.luck.verdict import Luck, Trials, luck_of
from backtest.trial import Study, TrialResult, run_trial
from tests.backtest.luck.markets import START_MS, Floats, history_of, random_moves
from trading.settings import Settings, parse_settings

RISK = {
    "position_size_percent": 95,
    "stop_loss_percent": 0,
    "daily_loss_limit_percent": 100,
    "kill_switch_percent": 100,
}


def momentum(window: int, threshold_percent: float) -> Settings:
    params = {"window": window, "threshold_percent": threshold_percent}
    return parse_settings(
        {"risk": RISK, "strategies": [{"name": "move", "type": "momentum", "params": params}]}
    )


TRIALS = [momentum(window, threshold) for window in (1, 2, 5) for threshold in (0.5, 2)]
FEW = TRIALS[:2]


def sharpe(trial: TrialResult) -> float | None:
    return trial.figures.sharpe


def swept(moves: Floats, permuted_sweeps: int = 0, trials: list[Settings] = TRIALS) -> Luck:
    study = Study([history_of(moves)], START_MS)
    results = [run_trial(study, settings) for settings in trials]
    ratios = np.array([sharpe(result) for result in results], dtype=np.float64)
    best = int(np.nanargmax(ratios))
    bests = [null_best(study, trials, sharpe, seed) for seed in range(permuted_sweeps)]
    returns = np.stack([result.daily_returns for result in results], axis=1)
    null = NullBests(float(ratios[best]), bests, len(trials))
    return luck_of(Trials(ratios.tolist(), returns, best, market_returns(study), null=null), seed=1)


@pytest.mark.parametrize("drift", [0.0, 0.003])
def test_luck_of_a_sweep_over_a_random_walk_is_luck(drift: float) -> None:
    found = swept(random_moves(400, seed=11, drift=drift))
    assert found.probability is not None
    assert found.probability > 0.2
    assert "hardly explains" not in found.advice


def test_luck_of_a_sweep_over_a_market_that_repeats_itself_is_skill() -> None:
    found = swept(random_moves(400, seed=11, echo=0.4))
    assert found.probability is not None
    assert found.probability < 0.01
    assert "hardly explains" in found.advice


def test_luck_with_permuted_candles_tells_a_pattern_from_a_rising_market() -> None:
    rising, repeating = (
        swept(random_moves(300, seed=12, **kind), permuted_sweeps=9, trials=FEW)
        for kind in ({"drift": 0.004}, {"echo": 0.4})
    )
    assert rising.permutation is not None
    assert repeating.permutation is not None
    assert rising.permutation.probability > 0.2
    assert repeating.permutation.probability == pytest.approx(0.1)
