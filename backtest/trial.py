"""One trial of a sweep: the same candles, other settings; figures and daily returns come out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from backtest.reference import Simulation, run_reference
from backtest.results import curve_of, run_result
from trading.exact_settings import rules_of
from trading.history import History
from trading.settings import Settings
from trading.statistics import Figures, daily_returns
from trading.strategies.registry import made_strategies


@dataclass(frozen=True)
class Study:
    """What all trials of a sweep share: the histories in the order of the settings, cut at their end,
    and the open time at which trading begins (earlier candles only warm up)."""

    histories: Sequence[History]
    first_open_ms: int


class TrialResult(Struct, frozen=True):
    """A trial's figures (rulebook 8), and its daily returns in order, as fractions (Float64)."""

    figures: Figures
    daily_returns: NDArray[np.float64]


def run_trial(study: Study, settings: Settings) -> TrialResult:
    """Simulate one trial. Raises AutotraderError for settings or strategies that cannot be simulated."""
    strategies = made_strategies(settings)
    markets = [history.market for history in study.histories]
    rules = rules_of(settings, markets, strategies, study.histories[0].timeframe_ms)
    simulation = Simulation(study.histories, rules, strategies, study.first_open_ms, settings.feed.seed)
    records = run_reference(simulation, lambda _what, _done, _total: None)
    result = run_result(rules, records, {})
    return TrialResult(result.figures, np.array(daily_returns(curve_of(rules, records))))
