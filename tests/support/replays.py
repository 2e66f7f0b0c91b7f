"""Replays through the real actors, and the backtest that they must equal."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.launch import RunningEngine, started
from actors.persistence.reader import Reader
from actors.ports import ActorLost
from backtest.records import Records
from backtest.reference import run_reference
from backtest.results import RunResult, run_result
from backtest.simulation import Simulation
from cli.run_plans import Planned, replay_plan
from trading.date_range import select_range
from trading.events import CandlesClosed
from trading.exact_settings import rules_of
from trading.history import load_histories
from trading.settings import Settings, parse_settings
from trading.simulated_market import SimulatedMarket, simulated_candles
from trading.strategies.registry import made_strategies

HOUR_MS = 3_600_000
# Generous: the machine may be busy with other tests.
END_SECONDS = 240.0
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


def simulated_file(folder: Path, symbol: str, count: int, holes: bool = True) -> Path:
    """A file of simulated candles, some of them missing."""
    market = SimulatedMarket(symbol, seed=7, timeframe_ms=HOUR_MS)
    candles = simulated_candles(market, 1_600_000_000_000 // HOUR_MS * HOUR_MS, count).select(COLUMNS)
    if holes:
        candles = candles.with_row_index("row").filter(candles["open"].rank("ordinal") % 17 > 0)
        candles = candles.filter(~candles["row"].is_between(count // 2, count // 2 + 70)).drop("row")
    path = folder / f"{symbol.replace('/', '')}.parquet"
    candles.write_parquet(path)
    return path


def settings_with(**sections: object) -> Settings:
    """Settings that trade often: small averages, a close stop."""
    raw: dict[str, object] = {
        "strategies": [
            {"name": "cross", "type": "sma_cross", "params": {"fast": 3, "slow": 8}, "weight": 2},
            {"name": "technical", "type": "technical", "valid_candles": 2},
        ],
        "risk": {"stop_loss_percent": 1, "trailing_stop_percent": 2, "position_size_percent": 20},
    }
    return parse_settings(raw | sections)


def plan(settings: Settings, files: dict[str, Path], out: Path, force: bool = False) -> Planned:
    """The replay of these files."""
    return replay_plan(settings, [f"{symbol}={path}" for symbol, path in files.items()], out, None, force)


def run_to_end(planned: Planned, meanwhile: Callable[[RunningEngine, int], None] = lambda *_: None) -> None:
    """Run a plan's actors until its last candle; `meanwhile` is told how many candles are done."""
    with started(planned.plan) as engine:
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            try:
                progress = engine.progress()
            except ActorLost:
                time.sleep(0.02)
                continue
            assert not progress.failure, progress.failure
            if progress.finished:
                return
            meanwhile(engine, progress.candles)
            time.sleep(0.02)
    raise AssertionError(f"the replay did not end within {END_SECONDS:g} s")


def wait_for(question: Callable[[], Any], seconds: float = 120) -> Any:
    """Ask an engine until the answer is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except ActorLost:
            pass
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def stored(planned: Planned) -> RunResult:
    """The result of a plan's run, from storage."""
    records = Records()
    reader = Reader.open(planned.plan.database_url)
    for entry in reader.entries(planned.run.id):
        if isinstance(entry.event, CandlesClosed):
            records.see(entry.event)
        records.take(entry.decisions)
    reader.close()
    return run_result(planned.run.rules, records, {})


def backtested(settings: Settings, files: dict[str, Path]) -> RunResult:
    """The result of the backtest of the same files."""
    chosen = select_range(load_histories(list(files.items()), settings.market))
    strategies = made_strategies(settings)
    markets = [history.market for history in chosen.histories]
    rules = rules_of(settings, markets, strategies, chosen.histories[0].timeframe_ms)
    simulation = Simulation(chosen.histories, rules, strategies, chosen.first_open_ms)
    return run_result(rules, run_reference(simulation, lambda *_: None), {})
