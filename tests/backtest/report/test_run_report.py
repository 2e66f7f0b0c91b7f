"""The report of a run: its sections, and that what it shows is what the run was."""

import base64
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import plotly.graph_objects as go
import pytest

from backtest.report.calendar_returns import calendar_returns
from backtest.report.equity import rolling_sharpe
from backtest.report.run import write_run_report
from backtest.report.run_data import RunData
from backtest.report.voters import CANDLES_LATER, voter_records
from backtest.results import RunResult, run_result
from tests.backtest.report.reports import (
    HOSTILE,
    Report,
    histories_of,
    random_run,
    read_report,
    recorded,
)
from tests.trading.accounts import BTC, ETH, Account, rules_with
from trading.history import History
from trading.statistics import sharpe

SECTIONS = [
    "summary", "equity", "calendar", "price", "close-up", "distribution", "rolling", "exits", "voters",
    "trades", "figures", "settings",
]  # fmt: skip
SETTINGS: dict[str, Any] = {
    "engine": {"symbols": ["BTC/USDT", "ETH/USDT"], "timeframe": "1h"},
    "strategies": [{"name": "cross", "type": "sma_cross", "weight": Decimal(1), "params": {"fast": 20}}],
}


@pytest.fixture(scope="module")
def run() -> tuple[RunResult, list[History]]:
    """100 days of two symbols with trades, stops, targets, holes and an open position."""
    return random_run(2_400, settings=SETTINGS)


@pytest.fixture(scope="module")
def report(run: tuple[RunResult, list[History]], tmp_path_factory: pytest.TempPathFactory) -> Report:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_run_report(*run, path)
    return read_report(path)


def unpacked(values: dict[str, str]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.frombuffer(base64.b64decode(values["bdata"]), "<f8")


def written(result: RunResult, histories: list[History], folder: Path) -> Report:
    write_run_report(result, histories, folder / "report.html")
    return read_report(folder / "report.html")


def accepted_by_plotly(report: Report) -> int:
    """How many charts plotly takes without a complaint, colours put in the place of their roles."""
    figures = [*report.charts.values()]
    figures += [each for made in figures if isinstance(made, list) for each in made]
    drawn = [each for each in figures if isinstance(each, dict)]
    for each in drawn:
        go.Figure(msgspec.json.decode(re.sub(rb'"@[a-z-]+[0-9]?"', b'"#123456"', msgspec.json.encode(each))))
    return len(drawn)


def test_report_has_its_sections_in_order(report: Report) -> None:
    assert report.sections == SECTIONS


def test_report_shows_the_exact_figures_of_the_summary(
    report: Report, run: tuple[RunResult, list[History]]
) -> None:
    facts = msgspec.structs.asdict(run[0].figures)
    assert report.figures() == {name: "" if value is None else str(value) for name, value in facts.items()}


def test_report_says_the_result_in_words(report: Report, run: tuple[RunResult, list[History]]) -> None:
    facts = run[0].figures
    (lead,) = report.all("p", **{"class": "lead"})
    assert "From 2020-01-01 to 2020-04-10, 10,000.00 USDT" in lead.text
    assert f"{facts.trades:,} trades were closed" in lead.text
    assert f"worst fall from a peak was {facts.max_drawdown_percent:.2f} %" in lead.text


def test_every_chart_is_one_that_plotly_accepts(report: Report) -> None:
    assert accepted_by_plotly(report) >= 7 + 30


def test_every_chart_has_its_place(report: Report) -> None:
    places = [each.attributes["data-chart"] for each in report.all("div") if "data-chart" in each.attributes]
    assert sorted([*places, "close-ups"]) == sorted(report.charts)


def test_report_of_the_same_run_has_the_same_bytes(
    run: tuple[RunResult, list[History]], tmp_path: Path
) -> None:
    write_run_report(*run, tmp_path / "one.html")
    again = random_run(2_400, settings=SETTINGS)
    write_run_report(*again, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["one.html", "two.html"]


def test_drawn_curves_end_at_the_figures(report: Report, run: tuple[RunResult, list[History]]) -> None:
    held, strategy, fallen = (unpacked(each["y"]) for each in report.charts["equity"]["data"])
    facts = run[0].figures
    assert facts.buy_and_hold_percent is not None
    assert strategy[-1] == pytest.approx(10_000 * (1 + facts.total_return_percent / 100))
    assert held[-1] == pytest.approx(10_000 * (1 + facts.buy_and_hold_percent / 100))
    assert -fallen.min() == pytest.approx(facts.max_drawdown_percent)


def test_months_and_years_compound_to_the_total_return(run: tuple[RunResult, list[History]]) -> None:
    returns = calendar_returns(RunData(*run))
    whole = run[0].figures.total_return_percent
    assert list(returns.months) == [(2020, month) for month in (1, 2, 3, 4)]
    months = np.prod([1 + each / 100 for each in returns.months.values()])
    assert 100 * (months - 1) == pytest.approx(whole)
    assert returns.years == {2020: pytest.approx(whole)}


def test_rolling_sharpe_over_all_days_is_the_sharpe(run: tuple[RunResult, list[History]]) -> None:
    data = RunData(*run)
    days = len(data.daily_returns)
    values = rolling_sharpe(data.daily_returns, days)
    assert np.isnan(values[:-1]).all()
    assert values[-1] == pytest.approx(run[0].figures.sharpe)
    assert rolling_sharpe(data.daily_returns, 90)[89] == pytest.approx(
        sharpe(data.daily_returns[:90].tolist())
    )


def test_rolling_sharpe_without_changes_is_missing() -> None:
    assert np.isnan(rolling_sharpe(np.zeros(100), 90)).all()


def test_every_trade_is_marked_at_its_fills(report: Report, run: tuple[RunResult, list[History]]) -> None:
    for place, market in enumerate(run[0].rules.markets):
        trades = [trade for trade in run[0].records.trades if trade.symbol == market.symbol]
        candles, entries, *exits = report.charts[f"price-{place}"]["data"]
        exits = [each for each in exits if each["name"] != "still open"]
        assert candles["type"] == "candlestick"
        assert sorted(unpacked(entries["x"])) == sorted(trade.entry_time_ms for trade in trades)
        assert unpacked(entries["y"]) == pytest.approx([float(market.price(t.entry_price)) for t in trades])
        times = np.concatenate([unpacked(each["x"]) for each in exits])
        assert sorted(times) == sorted(trade.exit_time_ms for trade in trades)


def test_exit_table_counts_every_trade(report: Report, run: tuple[RunResult, list[History]]) -> None:
    reasons = [str(trade.exit_reason) for trade in run[0].records.trades]
    assert {"stop", "take_profit", "signal"} <= set(reasons)
    for reason, shown in (("stop", "stop"), ("take_profit", "take profit"), ("signal", "exit by signal")):
        assert f"{shown}{reasons.count(reason):,}" in report.section("exits").replace(" ", " ")


def test_candles_drawn_are_few_however_many_there_are(tmp_path: Path) -> None:
    report = written(*random_run(5_000, symbols=("BTC/USDT",)), tmp_path)
    candles = report.charts["price-0"]["data"][0]
    assert 500 < len(unpacked(candles["x"])) <= 2_000
    assert "Each drawn candle is 3h long" in report.section("price")


def test_open_position_is_shown_as_open(tmp_path: Path) -> None:
    account = Account(rules_with())
    account.btc(1_000, said="BUY")
    account.btc(1_010)
    result = run_result(account.engine.state.rules, recorded(account.entries), {})
    report = written(result, histories_of(account.entries, result.rules), tmp_path)
    assert "still open" in report.section("trades")
    assert report.charts["price-0"]["data"][-1]["name"] == "still open"
    assert "and 1 position is still open" in report.all("p", **{"class": "lead"})[0].text


def test_run_without_trades_says_so(tmp_path: Path) -> None:
    account = Account(rules_with())
    for price in (1_000, 1_010, 990):
        account.btc(price)
    result = run_result(account.engine.state.rules, recorded(account.entries), {})
    report = written(result, histories_of(account.entries, result.rules), tmp_path)
    assert report.section("distribution").endswith("No trade was closed.")
    assert report.section("exits").endswith("No trade was closed.")
    assert {"trades", "close-up", "settings"}.isdisjoint(report.sections)
    assert report.figures()["win_rate_percent"] == ""
    assert accepted_by_plotly(report) == len(report.charts)


def test_run_of_one_candle_has_a_report(tmp_path: Path) -> None:
    report = written(*random_run(1), tmp_path)
    assert report.figures()["candles"] == "1"
    assert "Needs more than 90 days" in report.section("rolling")
    assert accepted_by_plotly(report) == len(report.charts)


def test_symbol_that_begins_late_counts_as_cash_until_then() -> None:
    account = Account(rules_with((BTC, ETH)))
    account.hour({BTC: 1_000})
    account.hour({BTC: 2_000, ETH: 500})
    account.hour({BTC: 2_000, ETH: 1_000})
    result = run_result(account.engine.state.rules, recorded(account.entries), {})
    data = RunData(result, histories_of(account.entries, result.rules))
    assert data.buy_and_hold is not None
    assert data.buy_and_hold.tolist() == [1_000, 1_500, 2_000]
    assert result.figures.buy_and_hold_percent == 100


def test_symbol_without_a_candle_in_range_is_left_out(tmp_path: Path) -> None:
    account = Account(rules_with((BTC, ETH)))
    account.hour({BTC: 1_000})
    account.hour({BTC: 2_000})
    result = run_result(account.engine.state.rules, recorded(account.entries), {})
    report = written(result, histories_of(account.entries, result.rules), tmp_path)
    assert [name for name in report.charts if name.startswith("price")] == ["price-0"]
    assert unpacked(report.charts["equity"]["data"][0]["y"]).tolist() == [1_000, 2_000]


def test_one_symbol_has_no_tabs_and_two_have_two(report: Report, tmp_path: Path) -> None:
    assert [each.text for each in report.all("button", role="tab")] == ["BTC/USDT", "ETH/USDT"]
    assert not written(*random_run(50, symbols=("BTC/USDT",)), tmp_path).all("button", role="tab")


def test_hostile_settings_are_shown_as_they_are(
    run: tuple[RunResult, list[History]], report: Report, tmp_path: Path
) -> None:
    result, histories = run
    settings = SETTINGS | {"data": {HOSTILE: HOSTILE}}
    hostile = written(RunResult(result.rules, result.records, result.figures, settings), histories, tmp_path)
    assert hostile.section("settings").count(HOSTILE) == 2
    more = [each.tag for each in hostile.elements if each.tag in {"script", "img"}]
    assert more == [each.tag for each in report.elements if each.tag in {"script", "img"}]


def test_settings_have_the_keys_that_a_user_types(report: Report) -> None:
    assert "cross.fast20" in report.section("settings").replace(" ", "")


def voted(*closes_and_votes: tuple[int, str]) -> RunData:
    account = Account(rules_with())
    for close, said in closes_and_votes:
        account.btc(close, said=said)
    result = run_result(account.engine.state.rules, recorded(account.entries), {})
    return RunData(result, histories_of(account.entries, result.rules))


def test_voter_is_right_when_the_close_ten_candles_later_went_its_way() -> None:
    flat = [(1_000, "HOLD")] * (CANDLES_LATER - 2)
    rise = [(1_100, "HOLD")] * 2
    data = voted((1_000, "BUY"), (1_000, "SELL"), *flat, *rise, (1_100, "BUY"))
    (record,) = voter_records(data)
    assert record.said.tolist() == [2, 1, CANDLES_LATER, 0]
    assert (record.judged, record.right) == (2, 1)


def test_voters_share_the_profit_of_a_trade_by_weight_and_confidence(
    run: tuple[RunResult, list[History]],
) -> None:
    records = voter_records(RunData(*run))
    result = run[0]
    profit = sum(trade.realized_profit for trade in result.records.trades) / 10**result.rules.quote_decimals
    assert [record.name for record in records] == ["cross", "mood"]
    assert sum(record.profit for record in records) == pytest.approx(profit)
    assert max(record.trades for record in records) <= result.figures.trades
    assert sum(int(record.said.sum()) for record in records) == sum(
        votes.count('"strategy"') for votes in result.records.outcomes["votes"]
    )


def test_trades_table_has_the_newest_first(report: Report, run: tuple[RunResult, list[History]]) -> None:
    newest = max(trade.exit_time_ms for trade in run[0].records.trades)
    text = report.section("trades")
    shown = datetime.fromtimestamp(newest / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    exits = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", text)
    assert shown in exits[: 2 * (len(run[0].records.open_positions) + 1)]
    assert f"of {run[0].figures.trades:,} closed trades" in text
