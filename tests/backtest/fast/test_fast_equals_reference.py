"""The compiled engine and the reference leave the same, to the last unit, on random and on real markets."""

import os
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings

from backtest.fast.rules import TooLarge
from backtest.fast.run import run_fast
from backtest.records import RunRecords
from backtest.reference import run_reference
from backtest.results import run_result
from backtest.run import chosen_engine, run_backtest
from backtest.simulation import Simulation
from backtest.trial import Study, run_trial
from tests.backtest.fast.markets import Case, cases
from tests.data import shared_file
from trading.date_range import select_range
from trading.errors import InputError
from trading.exact_settings import rules_of
from trading.history import load_histories
from trading.settings import Settings, parse_settings
from trading.strategies.registry import made_strategies

pytestmark = pytest.mark.slow
# Of each symbol, from the real files.
REAL_CANDLES = 12_000
EXAMPLES = int(os.environ.get("AUTOTRADER_EXAMPLES", "40"))


def quietly(_what: str, _done: int, _total: int) -> None:
    """Nobody looks."""


def facts(records: RunRecords, simulation: Simulation) -> dict[str, Any]:
    """Everything that a run leaves behind, as plain values."""
    return {
        "open_times_ms": list(records.open_times_ms),
        "equity": list(records.equity),
        "cash": list(records.cash),
        "held": list(records.held),
        "trades": records.trades,
        "open_positions": records.open_positions,
        "outcomes": records.outcomes,
        "held_prices": records.held_prices,
        "candles_filled": records.candles_filled,
        "figures": run_result(simulation.rules, records, {}).figures,
    }


def assert_same(simulation: Simulation) -> RunRecords:
    fast, reference = run_fast(simulation, quietly), run_reference(simulation, quietly)
    found, expected = facts(fast, simulation), facts(reference, simulation)
    for name, value in expected.items():
        assert found[name] == value, name
    return reference


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_random_market_leaves_the_same_by_both_engines(case: Case) -> None:
    try:
        records = assert_same(case.simulation())
    except TooLarge:
        event("too large for 64 bits")
        return
    for reason in {trade.exit_reason for trade in records.trades}:
        event(f"exit: {reason}")
    for refusal in set(records.outcomes["refusal"]) - {""}:
        event(f"refused: {refusal}")


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_trial_of_a_random_market_gives_the_figures_of_the_reference(case: Case) -> None:
    simulation = case.simulation()
    if any(simulation.details):
        return
    study = Study(simulation.histories, simulation.first_open_ms)
    found = run_trial(study, case.settings())
    expected = run_result(simulation.rules, run_reference(simulation, quietly), {})
    assert found.figures == expected.figures


def simulation_of(files: dict[str, str], raw: dict[str, Any], from_ms: int | None = None) -> Simulation:
    made: Settings = parse_settings(raw)
    pairs = [(symbol, shared_file(name)) for symbol, name in files.items()]
    chosen = select_range(load_histories(pairs, made.market), from_ms)
    strategies = made_strategies(made)
    markets = [history.market for history in chosen.histories]
    rules = rules_of(made, markets, strategies, chosen.histories[0].timeframe_ms)
    return Simulation(chosen.histories, rules, strategies, chosen.first_open_ms)


BUILT_IN = [
    {"name": "cross", "type": "sma_cross", "params": {"fast": 5, "slow": 20}},
    {"name": "technical", "type": "technical", "weight": 2},
    {"name": "trend", "type": "trend", "valid_candles": 3},
    {"name": "reversion", "type": "mean_reversion"},
    {"name": "momentum", "type": "momentum", "every_candles": 2},
    {"name": "breakout", "type": "breakout"},
]


@pytest.mark.parametrize(
    ("files", "risk"),
    [
        ({"BTC/USD": "btcusd_bitfinex_1m_2017-2018.parquet"}, {"max_gap_candles": 2}),
        (
            {
                "BTC/USDT": "btcusdt_binance_1h_2017-2023.parquet",
                "ETH/USDT": "ethusdt_binance_1h_2022-2023.parquet",
                "SOL/USDT": "solusdt_binance_1h_2022-2023.parquet",
            },
            {"trailing_stop_percent": 3, "take_profit_percent": 4, "position_size_percent": 60},
        ),
    ],
)
def test_real_candles_with_every_built_in_strategy_leave_the_same(
    files: dict[str, str], risk: dict[str, Any]
) -> None:
    raw = {"risk": risk, "strategies": BUILT_IN, "vote": {"confidence_threshold": 30}}
    simulation = simulation_of(files, raw)
    ends = [history.head(REAL_CANDLES) for history in simulation.histories]
    cut = Simulation(ends, simulation.rules, simulation.strategies, simulation.first_open_ms)
    assert len(assert_same(cut).trades) > 50


def test_account_too_large_for_64_bits_is_simulated_by_the_reference() -> None:
    case = Case(
        seed=1, timeframe_ms=3_600_000, candles=60, symbols=1, volatility=0.01, holes=0.0, tick="0.01",
        detailed=False, from_candle=0,
        raw={"engine": {"initial_capital_quote": 10**14}},
    )  # fmt: skip
    simulation = case.simulation()
    records = run_backtest(simulation, "fast", quietly)
    assert list(records.equity) == run_reference(simulation, quietly).equity


def test_engine_that_does_not_exist_is_bad_input() -> None:
    simulation = Simulation((), None, (), 0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--engine: 'quick' is not an engine; allowed: fast, reference"):
        chosen_engine("quick", simulation)
    assert chosen_engine(None, simulation) == "fast"


def test_trials_of_one_study_do_not_disturb_one_another() -> None:
    case = Case(
        seed=3, timeframe_ms=3_600_000, candles=300, symbols=2, volatility=0.02, holes=0.05, tick="0.01",
        detailed=False, from_candle=0, raw={},
    )  # fmt: skip
    simulation = case.simulation()
    study = Study(simulation.histories, simulation.first_open_ms)
    every = [
        parse_settings(
            {
                "risk": {"stop_loss_percent": stop},
                "strategies": [
                    {"name": "cross", "type": "sma_cross", "params": {"fast": fast, "slow": 20}},
                    *([] if fast % 2 else [{"name": "technical", "type": "technical"}]),
                ],
            }
        )
        for fast in (2, 3, 4, 5)
        for stop in (0, 2)
    ]
    alone = [run_trial(Study(study.histories, study.first_open_ms), each) for each in every]
    again = [run_trial(study, each) for each in (*every, *reversed(every))]
    for found, expected in zip(again, [*alone, *reversed(alone)], strict=True):
        assert found.figures == expected.figures
        assert np.array_equal(found.daily_returns, expected.daily_returns)


def test_part_of_a_study_is_the_study_of_the_part() -> None:
    case = Case(
        seed=5, timeframe_ms=3_600_000, candles=400, symbols=3, volatility=0.02, holes=0.05, tick="0.01",
        detailed=False, from_candle=0, raw={},
    )  # fmt: skip
    simulation = case.simulation()
    study = Study(simulation.histories, simulation.first_open_ms)
    settings = case.settings()
    run_trial(study, settings)
    opens_ms = simulation.histories[0].open_times_ms
    for first, last in ((0, 60), (50, 200), (120, 395), (0, 395)):
        span = int(opens_ms[first]), int(opens_ms[min(last, len(opens_ms) - 1)])
        chosen = select_range(simulation.histories, *span)
        alone = run_trial(Study(chosen.histories, chosen.first_open_ms), settings)
        assert run_trial(study.part(*span), settings).figures == alone.figures


def test_history_sent_to_another_process_is_the_same_and_not_copied() -> None:
    case = Case(
        seed=5, timeframe_ms=3_600_000, candles=400, symbols=1, volatility=0.02, holes=0.05, tick="0.01",
        detailed=False, from_candle=0, raw={},
    )  # fmt: skip
    history = case.simulation().histories[0]
    buffers: list[pickle.PickleBuffer] = []
    sent = pickle.dumps(history, protocol=5, buffer_callback=buffers.append)
    received = pickle.loads(sent, buffers=buffers)
    assert received.candles.equals(history.candles)
    assert received.candles.schema == history.candles.schema
    assert (received.market, received.timeframe_ms) == (history.market, history.timeframe_ms)
    for name in ("open", "close_ticks", "timestamp"):
        mine, theirs = (each.candles[name].to_physical().to_numpy() for each in (history, received))
        assert mine.ctypes.data == theirs.ctypes.data
