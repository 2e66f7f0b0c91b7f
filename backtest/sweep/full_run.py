"""One trial in full: trades, equity and votes, not its figures alone, and checked not to look ahead."""

from backtest.results import RunResult, curve_of, run_result
from backtest.run import chosen_engine, run_backtest
from backtest.simulation import shown_settings, simulation_of
from backtest.trial import Study
from trading.settings import Settings
from trading.statistics import curve_facts, daily_returns


def full_run(study: Study, settings: Settings) -> RunResult:
    """Simulate these settings; raises AutotraderError for what cannot be simulated or looks ahead."""
    simulation = simulation_of(settings, study.histories, study.first_open_ms)
    engine = chosen_engine(None, simulation)
    records = run_backtest(simulation, engine, lambda _what, _done, _total: None)
    return run_result(simulation.rules, records, shown_settings(settings))


def run_returns(run: RunResult) -> list[float]:
    """A run's daily returns, as fractions."""
    curve = curve_facts(curve_of(run.rules, run.records))
    return daily_returns(curve.initial_capital, curve.daily_equity)
