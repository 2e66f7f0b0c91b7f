"""The reference engine: the one that also trades, with every record kept."""

from collections.abc import Mapping
from pathlib import Path

from backtest.reference import run_reference
from backtest.results import RunResult, run_result
from backtest.simulation import Simulation
from benchmarks.job import SETTINGS_FILE, SYMBOL
from benchmarks.serving import Task, serve
from cli.config_files import read_toml
from trading.exact_settings import rules_of
from trading.history import load_history
from trading.settings import parse_settings
from trading.strategies.registry import made_strategies


def tasks_on(file: Path) -> Mapping[str, Task]:
    """`reference`: signals, the check that they do not look ahead, the engine, and all figures."""
    history = load_history(SYMBOL, file)
    settings = parse_settings(read_toml(SETTINGS_FILE))
    strategies = made_strategies(settings)
    rules = rules_of(settings, [history.market], strategies, history.timeframe_ms)
    simulation = Simulation([history], rules, strategies, int(history.open_times_ms[0]))

    def run() -> RunResult:
        return run_result(rules, run_reference(simulation, lambda _what, _done, _total: None), {})

    def left(result: RunResult) -> tuple[int, float]:
        growth = 1 + result.figures.total_return_percent / 100
        return result.figures.trades, float(settings.engine.initial_capital_quote) * growth

    return {"reference": Task(run, left)}


if __name__ == "__main__":
    serve(tasks_on)
