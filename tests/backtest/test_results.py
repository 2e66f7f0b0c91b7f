"""The result files: their columns, exact decimals, order of rows, and null for what cannot be computed."""

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backtest.records import Records
from backtest.results import TRADE_COLUMNS, RunResult, run_result, write_results
from tests.backtest.test_records import recorded, traded
from tests.trading.accounts import BTC, ETH, START_MS, USUAL, Account, rules_with
from trading.errors import InputError
from trading.rules import Rules

FIGURES = (
    "total_return_percent", "cagr_percent", "volatility_percent", "sharpe", "sortino",
    "max_drawdown_percent", "max_drawdown_days", "calmar", "exposure_percent", "trades",
    "win_rate_percent", "profit_factor", "expectancy_quote", "average_trade_percent",
    "best_trade_percent", "worst_trade_percent", "average_holding_hours", "longest_holding_hours",
    "fees_quote", "turnover_quote", "buy_and_hold_percent", "candles", "candles_filled",
)  # fmt: skip
FACTS = ["initial_capital", "final_equity", "start", "end", "settings"]
NEED_A_TRADE = [name for name in FIGURES if name.endswith(("_trade_percent", "_hours"))]


def result_of(account: Account, settings: dict[str, Any] | None = None) -> RunResult:
    return run_result(account.engine.state.rules, recorded(account), settings or {})


def written(folder: Path, account: Account) -> Path:
    write_results(result_of(account, {"risk": {"stop_loss_percent": Decimal("5.10")}}), folder)
    return folder


def summary(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "summary.json").read_bytes(), parse_float=Decimal)
    return loaded


def trades(folder: Path) -> list[dict[str, str]]:
    with (folder / "trades.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_summary_has_every_figure_and_fact_by_its_name(tmp_path: Path) -> None:
    found = summary(written(tmp_path, traded()))
    assert set(found) == {*FIGURES, *FACTS}
    assert (found["start"], found["end"]) == ("2020-01-01T00:00:00Z", "2020-01-01T04:00:00Z")
    assert (found["initial_capital"], found["final_equity"]) == (1_000, Decimal("1012.02"))
    assert (found["trades"], found["candles"], found["candles_filled"]) == (1, 4, 1)
    assert found["turnover_quote"] == 100 + 110 + 101
    assert found["settings"] == {"risk": {"stop_loss_percent": Decimal("5.10")}}
    assert b'"stop_loss_percent": 5.10' in (tmp_path / "summary.json").read_bytes()


def test_summary_of_a_run_without_trades_has_null_for_what_needs_one(tmp_path: Path) -> None:
    account = Account(rules_with())
    account.btc(1_000)
    found = summary(written(tmp_path, account))
    short_of_days = ["cagr_percent", "volatility_percent", "sharpe", "sortino", "calmar"]
    nulls = {*NEED_A_TRADE, *short_of_days, "win_rate_percent", "profit_factor", "expectancy_quote"}
    assert {name for name, value in found.items() if value is None} == nulls
    assert (found["trades"], found["fees_quote"], found["exposure_percent"]) == (0, 0, 0)


def test_figures_without_a_losing_trade_have_no_profit_factor(tmp_path: Path) -> None:
    found = summary(written(tmp_path, traded()))
    assert found["profit_factor"] is None
    assert (found["win_rate_percent"], found["average_holding_hours"]) == (100, 1)


def test_run_without_a_candle_is_refused() -> None:
    with pytest.raises(InputError, match="no candle"):
        run_result(rules_with(), Records(), {})


def test_trades_file_has_the_columns_and_exact_decimals(tmp_path: Path) -> None:
    account = Account(rules_with(costs=USUAL))
    account.btc(2_001, said="BUY")
    account.btc(2_001, said="SELL")
    account.btc(2_010)
    (row,) = trades(written(tmp_path, account))
    assert list(row) == list(TRADE_COLUMNS)
    assert row["entry_time"] == "2020-01-01T01:00:00Z"
    assert row["exit_time"] == "2020-01-01T02:00:00Z"
    assert (row["entry_price"], row["exit_price"], row["amount"]) == ("2003", "2008", "0.049")
    assert (row["entry_fee"], row["exit_fee"]) == ("0.09814700", "0.09839200")
    assert Decimal(row["realized_profit"]) == Decimal("0.049") * 5 - Decimal("0.196539")
    assert float(row["profit_percent"]) == pytest.approx(100 * 0.048461 / 98.147, rel=1e-12)
    assert (row["exit_reason"], row["votes"]) == ("signal", "cross BUY 100")


def test_open_position_has_empty_exit_columns(tmp_path: Path) -> None:
    closed, still_open = trades(written(tmp_path, traded()))
    assert (closed["symbol"], still_open["symbol"]) == (BTC, ETH)
    empty = {name for name, value in still_open.items() if not value}
    assert empty == {"exit_time", "exit_price", "exit_fee", "realized_profit", "profit_percent"}
    assert still_open["exit_reason"] == "open"


def test_trades_stand_by_entry_time_then_in_the_order_of_the_settings(tmp_path: Path) -> None:
    account = Account(rules_with((ETH, BTC)))
    for buys in ({"BTC": "BUY", "ETH": "BUY"}, {"ETH": "SELL"}, {"ETH": "BUY"}, {"BTC": "SELL"}, {}):
        account.hour({ETH: 1_000, BTC: 1_000}, **buys)
    rows = [
        (row["entry_time"][11:13], row["symbol"], row["exit_reason"])
        for row in trades(written(tmp_path, account))
    ]
    assert rows == [("01", ETH, "signal"), ("01", BTC, "signal"), ("03", ETH, "open")]


def test_equity_file_is_exact_with_its_drawdown(tmp_path: Path) -> None:
    account = Account(rules_with())
    account.btc(1_000, said="BUY")
    account.btc(1_000)
    account.btc(900)
    frame = pl.read_parquet(written(tmp_path, account) / "equity.parquet")
    assert frame.columns == ["timestamp", "equity", "cash", "drawdown_percent"]
    assert frame["timestamp"][0] == datetime(2020, 1, 1, tzinfo=UTC)
    assert frame["equity"].to_list() == [Decimal(1_000), Decimal(1_000), Decimal(990)]
    assert frame["cash"].to_list() == [Decimal(1_000), Decimal(900), Decimal(900)]
    assert frame["drawdown_percent"].to_list() == [0, 0, 1]


@pytest.mark.parametrize("decimals", [8, 11, 18])
@pytest.mark.parametrize("units", [0, 1, -1, 10**19 - 1, 123_456_789_012_345_678_901_234_567])
def test_equity_file_of_any_unit_is_exact_to_the_last_digit(
    tmp_path: Path, units: int, decimals: int
) -> None:
    records = Records()
    records.open_times_ms, records.equity, records.cash, records.held = [START_MS], [units], [units], [False]
    rules = rules_with()
    finer = Rules(
        **{name: getattr(rules, name) for name in Rules.__struct_fields__} | {"quote_decimals": decimals}
    )
    write_results(run_result(finer, records, {}), tmp_path)
    frame = pl.read_parquet(tmp_path / "equity.parquet")
    assert frame["equity"].to_list() == frame["cash"].to_list() == [Decimal(units).scaleb(-decimals)]
    assert summary(tmp_path)["final_equity"] == Decimal(units).scaleb(-decimals)


def test_decisions_file_has_every_outcome(tmp_path: Path) -> None:
    account = traded()
    frame = pl.read_parquet(written(tmp_path, account) / "decisions.parquet")
    assert frame.height == 8
    assert frame["verdict"].value_counts().sort("verdict").rows() == [
        ("", 4),
        ("approved", 3),
        ("refused", 1),
    ]
    assert json.loads(frame["votes"][0])[0]["strategy"] == "cross"


def test_result_files_of_an_earlier_run_are_replaced_whole(tmp_path: Path) -> None:
    names = {"summary.json", "trades.csv", "equity.parquet", "decisions.parquet"}
    for name in names:
        (tmp_path / name).write_bytes(b"old " * 100_000)
    first = {name: (written(tmp_path, traded()) / name).read_bytes() for name in names}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {name: (written(tmp_path, traded()) / name).read_bytes() for name in names} == first
    assert not any(body.startswith(b"old") for body in first.values())
