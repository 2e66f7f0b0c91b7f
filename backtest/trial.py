"""One trial of a sweep: the same candles, other settings; figures and daily returns come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from backtest.fast.candles import CandleArrays, candle_arrays
from backtest.fast.rules import TooLarge
from backtest.fast.signals import Ground, SignalCache
from backtest.fast.simulate import Buffers, curve_facts_of, outcomes_of, simulate, trade_facts_of
from backtest.reference import run_reference
from backtest.results import curve_of, run_result
from backtest.run import FAST, chosen_engine
from backtest.simulation import Simulation, simulation_of
from trading.date_range import select_range
from trading.history import History
from trading.settings import Settings
from trading.statistics import Figures, curve_facts, daily_returns, figures


@dataclass(frozen=True)
class Study:
    """What all trials of a sweep share: the histories in the order of the settings, cut at their end,
    and the open time at which trading begins (earlier candles only warm up)."""

    histories: Sequence[History]
    first_open_ms: int

    def __getstate__(self) -> dict[str, Any]:
        """What another process is sent: signals and buffers are made there."""
        return {name: value for name, value in vars(self).items() if name not in ("signals", "buffers")}

    def part(self, from_ms: int, to_ms: int) -> "Study":
        """The trials' ground from one open time (included) to another (excluded), on the same arrays and
        signals; what opens before only warms up. Raises InputError when no candle opens in it."""
        chosen = select_range(self.histories, from_ms, to_ms)
        part = Study(chosen.histories, chosen.first_open_ms)
        candles = self.candles.within(chosen.first_open_ms, chosen.last_open_ms)
        vars(part).update(candles=candles, signals=self.signals, buffers=self.buffers)
        return part

    @cached_property
    def candles(self) -> CandleArrays:
        """The histories as the compiled engine wants them."""
        return candle_arrays(self.histories, self.first_open_ms)

    @cached_property
    def signals(self) -> SignalCache:
        """What strategies say of them."""
        return SignalCache(Ground(self.histories, self.candles))

    @cached_property
    def buffers(self) -> Buffers:
        """Memory that the trials use one after another."""
        return Buffers()


class TrialResult(Struct, frozen=True):
    """A trial's figures (rulebook 8), and its daily returns in order, as fractions (Float64)."""

    figures: Figures
    daily_returns: NDArray[np.float64]


def run_trial(study: Study, settings: Settings) -> TrialResult:
    """Simulate one trial, compiled where it can be. Raises AutotraderError for settings or strategies that
    cannot be simulated. Strategies are not checked for looking ahead here: check the one that is chosen."""
    simulation = simulation_of(settings, study.histories, study.first_open_ms)
    if chosen_engine(None, simulation) == FAST:
        try:
            return _compiled(study, simulation)
        except TooLarge:
            pass
    return _reference(simulation)


def _compiled(study: Study, simulation: Simulation) -> TrialResult:
    rules, candles = simulation.rules, study.candles
    words = study.signals.words([each for each in simulation.strategies if each[0].enabled])
    outcomes = outcomes_of(rules, candles, words, study.buffers)
    simulated = simulate(rules, candles, outcomes, study.buffers)
    found = figures(
        curve_facts_of(rules, candles, simulated),
        trade_facts_of(rules, simulated.trades),
        list(candles.held_prices.values()),
        candles.candles_filled,
        rules.quote_decimals,
    )
    returns = daily_returns(rules.initial_capital, simulated.daily.tolist())
    return TrialResult(found, np.array(returns))


def _reference(simulation: Simulation) -> TrialResult:
    records = run_reference(simulation, lambda _what, _done, _total: None)
    result = run_result(simulation.rules, records, {})
    curve = curve_facts(curve_of(simulation.rules, records))
    return TrialResult(result.figures, np.array(daily_returns(curve.initial_capital, curve.daily_equity)))
