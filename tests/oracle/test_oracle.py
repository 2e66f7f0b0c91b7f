"""What must be true of the oracle whatever the market, the signals and the settings are."""

import os
from dataclasses import astuple
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.books import Result
from tests.oracle.figures import figures
from tests.oracle.simulate import simulate
from tests.oracle.strategies import Case, cases

EXAMPLES = int(os.environ.get("AUTOTRADER_EXAMPLES", "25"))


def run(case: Case) -> Result:
    return simulate(case.candles, case.signals, case.settings, start_ms=case.start_ms, commands=case.commands)


def real_rows(case: Case) -> dict[tuple[str, int], dict[str, Any]]:
    return {(s, r["time_ms"]): r for s, rows in case.in_range().items() for r in rows if not r["filled"]}


@settings(max_examples=EXAMPLES)
@given(cases())
def test_equity_at_every_close_is_cash_and_marks_and_profits_to_the_last_digit(case: Case) -> None:
    for row in run(case).equity:
        held = row["positions"]
        cash_and_marks = Fraction(row["cash"]) + sum(p["amount"] * p["mark"] for p in held)
        unrealised = sum((p["mark"] - p["entry_price"]) * p["amount"] for p in held)
        fees = sum(p["entry_fee"] for p in held)
        assert Fraction(row["equity"]) == cash_and_marks
        profits = row["realised"] + unrealised - fees
        assert Fraction(row["equity"]) == Fraction(case.settings["initial_capital"]) + profits
        assert row["cash"] >= 0


@settings(max_examples=EXAMPLES)
@given(cases())
def test_fills_are_on_real_candles_on_the_tick_and_the_lot_and_never_in_our_favour(case: Case) -> None:
    rows = real_rows(case)
    for fill in run(case).fills:
        tick, lot, _ = case.settings["markets"][fill["symbol"]]
        candle = rows[fill["symbol"], fill["time_ms"]]
        assert fill["price"] % tick == 0
        assert fill["amount"] % lot == 0
        assert fill["amount"] > 0
        if fill["side"] == "BUY":
            assert fill["price"] >= candle["open"]
        elif fill["reason"] == "take_profit":
            assert candle["open"] <= fill["price"] <= candle["high"]
        else:
            assert fill["price"] <= candle["open"]


@settings(max_examples=EXAMPLES)
@given(cases())
def test_every_wish_to_enter_is_approved_or_refused_with_a_reason(case: Case) -> None:
    result = run(case)
    for vote in result.outcomes:
        assert (vote["verdict"] == "refused") == (vote["reason"] != "")
        assert vote["verdict"] == "none" or vote["outcome"] != "HOLD"
    bought = sum(v["outcome"] == "BUY" and v["verdict"] == "approved" for v in result.outcomes)
    assert bought == sum(o.side == "BUY" for o in result.orders)
    assert len(result.outcomes) == sum(map(len, case.in_range().values()))


@settings(max_examples=EXAMPLES)
@given(cases())
def test_entries_keep_every_limit_at_the_close_that_decides_them(case: Case) -> None:
    result = run(case)
    timeframe_ms = case.settings["timeframe_ms"]
    state = {row["time_ms"] + timeframe_ms: row for row in result.equity}
    entries = [o for o in result.orders if o.side == "BUY"]
    for order in entries:
        assert order.sizing_price is not None
        row, notional = state[order.decided_close_ms], order.amount * order.sizing_price
        assert not row["blocked"]
        assert notional <= Fraction(row["equity"]) * Fraction(case.settings["position_size_percent"]) / 100
        at_once = [o for o in entries if 0 <= order.decided_close_ms - o.decided_close_ms < 60_000]
        assert len(at_once) <= case.settings["max_orders_per_minute"]
    for row in result.equity:
        assert len(row["positions"]) <= case.settings["max_open_positions"]


@settings(max_examples=EXAMPLES)
@given(cases())
def test_trades_and_fills_tell_the_same_story(case: Case) -> None:
    result = run(case)
    closed = [t for t in result.trades if t["exit_reason"] != "open"]
    assert sum(f["side"] == "BUY" for f in result.fills) == len(result.trades)
    assert sum(f["side"] == "SELL" for f in result.fills) == len(closed)
    assert sum(Fraction(t["realized_profit"]) for t in closed) == result.equity[-1]["realised"]
    held = {p["symbol"] for p in result.equity[-1]["positions"]}
    assert {t["symbol"] for t in result.trades if t["exit_reason"] == "open"} == held


@settings(max_examples=EXAMPLES)
@given(cases(), st.floats(0.1, 0.95))
def test_run_cut_at_any_candle_is_the_beginning_of_the_whole_run(case: Case, share: float) -> None:
    whole = run(case)
    cut_ms = whole.equity[int(share * (len(whole.equity) - 1))]["time_ms"]
    early = {s: [r for r in rows if r["time_ms"] <= cut_ms] for s, rows in case.candles.items()}
    part = simulate(early, case.signals, case.settings, start_ms=case.start_ms, commands=case.commands)
    assert part.equity == whole.equity[: len(part.equity)]
    assert part.fills == [f for f in whole.fills if f["time_ms"] <= cut_ms]
    assert part.outcomes == whole.outcomes[: len(part.outcomes)]


@settings(max_examples=EXAMPLES)
@given(cases())
def test_detail_candles_that_repeat_the_candles_change_nothing(case: Case) -> None:
    plain = run(case)
    real = {s: [r for r in rows if not r["filled"]] for s, rows in case.candles.items()}
    fine = simulate(
        case.candles, case.signals, case.settings, start_ms=case.start_ms, commands=case.commands, detail=real
    )
    assert fine.equity == plain.equity
    assert list(map(astuple, fine.orders)) == list(map(astuple, plain.orders))


@settings(max_examples=EXAMPLES)
@given(cases())
def test_figures_of_any_run_are_within_their_bounds(case: Case) -> None:
    result = run(case)
    found = figures(
        result.equity,
        result.trades,
        case.in_range(),
        initial_capital=case.settings["initial_capital"],
        timeframe_ms=case.settings["timeframe_ms"],
    )
    held = sum(bool(row["positions"]) for row in result.equity)
    assert found["exposure_percent"] == 100 * held / len(result.equity)
    assert found["max_drawdown_percent"] == max(row["drawdown_percent"] for row in result.equity)
    fees = sum(Fraction(f["fee"]) for f in result.fills)
    turnover = sum(Fraction(f["price"]) * Fraction(f["amount"]) for f in result.fills)
    assert (found["fees_quote"], found["turnover_quote"]) == (float(fees), float(turnover))
