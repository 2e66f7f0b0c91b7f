"""One trial in full: trades, equity and votes, not its figures alone, and checked not to look ahead."""

from backtest.results import RunResult, curve_of, run_result
from backtest.run import chosen_engine, run_backtest
from backtest.simulation import Simulation
from backtest.trial import Study
from trading.exact_settings import rules_of
from trading.settings import Settings
from trading.statistics import curve_facts, daily_returns
from trading.strategies.registry import made_strategies


def full_run(study: Study, settings: Settings) -> RunResult:
    """Simulate these settings; raises AutotraderError for what cannot be simulated or looks ahead."""
    strategies = made_strategies(settings)
    markets = [history.market for history in study.histories]
    rules = rules_of(settings, markets, strategies, study.histories[0].timeframe_ms)
    simulation = Simulation(study.histories, rules, strategies, study.first_open_ms, settings.feed.seed)
    engine = chosen_engine(None, simulation)
    records = run_backtest(simulation, engine, lambda _what, _done, _total: None)
    shown = settings.model_dump(mode="json", exclude={"exchange", "control", "database", "feed"})
    return run_result(rules, records, shown)


def run_returns(run: RunResult) -> list[float]:
    """A run's daily returns, as fractions."""
    curve = curve_facts(curve_of(run.rules, run.records))
    return daily_returns(curve.initial_capital, curve.daily_equity)
