"""The compiled engine: the loop alone, with its signals, and whole trials."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backtest.fast.arrays import T_REASON
from backtest.fast.simulate import Simulated, outcomes_of, simulate
from backtest.trial import Study, TrialResult, run_trial
from benchmarks.job import ONE_PROCESS_TRIALS, SETTINGS_FILE, SYMBOL
from benchmarks.serving import Task, serve
from cli.config_files import read_toml
from trading.exact_settings import rules_of
from trading.history import load_history
from trading.settings import Settings, parse_settings
from trading.strategies.registry import made_strategies


def tasks_on(file: Path) -> Mapping[str, Task]:
    """`loop`: outcomes given; `signals`: from candles on; `trial`: figures too; `trials`: twenty of them."""
    history = load_history(SYMBOL, file)
    study = Study([history], int(history.open_times_ms[0]))
    settings = parse_settings(read_toml(SETTINGS_FILE))
    strategies = made_strategies(settings)
    rules = rules_of(settings, [history.market], strategies, history.timeframe_ms)
    candles, buffers = study.candles, study.buffers
    given = outcomes_of(rules, candles, study.signals.words(strategies), buffers).copy()

    def with_signals() -> Simulated:
        words = study.signals.words(strategies)
        return simulate(rules, candles, outcomes_of(rules, candles, words, buffers), buffers)

    def left(simulated: Simulated) -> tuple[int, float]:
        closed = int(np.count_nonzero(simulated.trades[T_REASON]))
        return closed, simulated.marks.equity / 10**rules.quote_decimals

    return {
        "loop": Task(lambda: simulate(rules, candles, given, buffers), left),
        "signals": Task(with_signals, left),
        "trial": Task(lambda: [run_trial(study, settings)], found),
        "trials": Task(lambda: [run_trial(study, cross(*each)) for each in ONE_PROCESS_TRIALS], found),
    }


def cross(fast: int, slow: int) -> Settings:
    """The job with other lengths."""
    tree = read_toml(SETTINGS_FILE)
    tree["strategies"][0]["params"] = {"fast": fast, "slow": slow}
    return parse_settings(tree)


def found(results: Sequence[TrialResult]) -> tuple[int, float]:
    """All closed trades, and the mean of the final equities."""
    capital = float(parse_settings(read_toml(SETTINGS_FILE)).engine.initial_capital_quote)
    returns = [each.figures.total_return_percent for each in results]
    return sum(each.figures.trades for each in results), capital * (1 + float(np.mean(returns)) / 100)


if __name__ == "__main__":
    serve(tasks_on)
