"""The engine gives what an independent reading of the rulebook gives, to the last unit."""

import os
from decimal import Decimal
from typing import Any

from hypothesis import given, settings

from backtest.records import Records
from backtest.results import run_result
from tests.oracle.books import Result
from tests.oracle.figures import figures
from tests.oracle.simulate import simulate
from tests.oracle.strategies import Case, cases
from tests.support.drive import case_rules, recorded
from trading.journal import restore, snapshot

EXAMPLES = int(os.environ.get("AUTOTRADER_EXAMPLES", "50"))


def oracle(case: Case) -> Result:
    return simulate(case.candles, case.signals, case.settings, start_ms=case.start_ms, commands=case.commands)


def equity_of(case: Case, records: Records) -> list[tuple[int, Decimal, Decimal]]:
    unit = Decimal(1).scaleb(-case_rules(case).quote_decimals)
    rows = zip(records.open_times_ms, records.equity, records.cash, strict=True)
    return [(time_ms, equity * unit, cash * unit) for time_ms, equity, cash in rows]


def trades_of(case: Case, records: Records) -> list[dict[str, Any]]:
    rules = case_rules(case)
    unit = Decimal(1).scaleb(-rules.quote_decimals)
    markets = {market.symbol: market for market in rules.markets}
    rows = []
    for trade in records.trades:
        market = markets[trade.symbol]
        rows.append(
            {
                "symbol": trade.symbol,
                "entry_time": trade.entry_time_ms,
                "entry_price": market.price(trade.entry_price),
                "amount": market.amount(trade.amount),
                "entry_fee": trade.entry_fee * unit,
                "exit_time": trade.exit_time_ms,
                "exit_price": market.price(trade.exit_price),
                "exit_fee": trade.exit_fee * unit,
                "exit_reason": trade.exit_reason.value,
                "realized_profit": trade.realized_profit * unit,
            }
        )
    return sorted(rows, key=lambda row: (row["entry_time"], list(case.candles).index(row["symbol"])))


def outcomes_of(records: Records) -> list[tuple[int, str, str, str, str]]:
    columns = records.outcomes
    names = ("timestamp", "symbol", "outcome", "verdict", "refusal")
    return list(zip(*(columns[name] for name in names), strict=True))


def expected_trades(result: Result, fields: list[str]) -> list[dict[str, Any]]:
    return [
        {name: trade[name] for name in fields} for trade in result.trades if trade["exit_reason"] != "open"
    ]


@settings(max_examples=EXAMPLES)
@given(cases())
def test_engine_on_random_cases_equals_the_oracle(case: Case) -> None:
    records, result = recorded(case), oracle(case)
    assert outcomes_of(records) == [
        (
            row["time_ms"],
            row["symbol"],
            row["outcome"],
            "" if row["verdict"] == "none" else row["verdict"],
            row["reason"] or "",
        )
        for row in result.outcomes
    ]
    made = trades_of(case, records)
    assert made == expected_trades(result, list(made[0]) if made else [])
    assert equity_of(case, records) == [(row["time_ms"], row["equity"], row["cash"]) for row in result.equity]
    still_open = [trade["symbol"] for trade in result.trades if trade["exit_reason"] == "open"]
    assert sorted(records.open_positions) == sorted(still_open)


@settings(max_examples=EXAMPLES)
@given(cases(longest=80))
def test_engine_restored_before_every_event_has_the_same_future(case: Case) -> None:
    whole = recorded(case)
    restored = recorded(case, between=lambda engine: restore(snapshot(engine.state)))
    assert restored.outcomes == whole.outcomes
    assert (restored.equity, restored.cash, restored.trades) == (whole.equity, whole.cash, whole.trades)


@settings(max_examples=EXAMPLES)
@given(cases(longest=120))
def test_figures_on_random_cases_equal_the_oracle(case: Case) -> None:
    records, result = recorded(case), oracle(case)
    summary = run_result(case_rules(case), records, {}).summary()
    expected = figures(
        result.equity,
        result.trades,
        case.in_range(),
        initial_capital=case.settings["initial_capital"],
        timeframe_ms=case.settings["timeframe_ms"],
    )
    for name, value in expected.items():
        if value is None or summary[name] is None:
            assert summary[name] is None and value is None, name
        else:
            assert abs(float(summary[name]) - float(value)) <= 1e-9 * max(1.0, abs(float(value))), name
