"""The result files of a run: summary.json, trades.csv, equity.parquet, decisions.parquet."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from msgspec import Struct

from backtest.records import RunRecords, votes_text
from trading.errors import InputError
from trading.ledger import Position, Trade
from trading.rules import Rules
from trading.statistics import (
    EquityCurve,
    Figures,
    curve_facts,
    drawdown_percents,
    figures,
)
from trading.timeframe import iso

ROW_GROUP = 65_536
TRADE_COLUMNS = (
    "symbol", "entry_time", "entry_price", "amount", "entry_fee", "exit_time", "exit_price",
    "exit_fee", "exit_reason", "realized_profit", "profit_percent", "votes",
)  # fmt: skip


class RunResult(Struct, frozen=True):
    """A finished run: its rules, its records, its figures, and the settings that it ran with."""

    rules: Rules
    records: RunRecords
    figures: Figures
    settings: Mapping[str, Any]

    def summary(self) -> dict[str, Any]:
        """What summary.json holds: every figure, the capital before and after, the range, the settings."""
        records = self.records
        facts = msgspec.structs.asdict(self.figures)
        return {
            "initial_capital": self.money(self.rules.initial_capital),
            "final_equity": self.money(int(records.equity[-1])),
            "start": iso(int(records.open_times_ms[0])),
            "end": iso(int(records.open_times_ms[-1]) + self.rules.timeframe_ms),
            **facts,
            "settings": self.settings,
        }

    def money(self, units: int) -> Decimal:
        """Quote units as quote."""
        return Decimal(int(units)).scaleb(-self.rules.quote_decimals)


def run_result(rules: Rules, records: RunRecords, settings: Mapping[str, Any]) -> RunResult:
    """The result of a run from its records. Raises InputError when there is no candle in it."""
    if not len(records.equity):
        raise InputError("the run has no candle in its range")
    made = figures(
        curve_facts(curve_of(rules, records)),
        records.trade_facts,
        list(records.held_prices.values()),
        records.candles_filled,
        rules.quote_decimals,
    )
    return RunResult(rules, records, made, settings)


def curve_of(rules: Rules, records: RunRecords) -> EquityCurve:
    """The equity curve of the records."""
    return EquityCurve(
        records.open_times_ms, records.equity, records.held, rules.timeframe_ms, rules.initial_capital
    )


def to_json(document: Any) -> bytes:
    """A JSON document, indented; decimals are written as numbers, digit for digit."""
    body = msgspec.json.Encoder(decimal_format="number").encode(document)
    return msgspec.json.format(body, indent=2) + b"\n"


def write_results(result: RunResult, folder: Path) -> None:
    """Write all result files; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "trades.csv", trades_csv(result).encode())
    write_parquet(folder / "equity.parquet", equity_frame(result))
    write_parquet(folder / "decisions.parquet", decisions_frame(result))
    write_file(folder / "summary.json", to_json(result.summary()))


def equity_frame(result: RunResult) -> pl.DataFrame:
    """timestamp (open time), equity and cash as Decimal, drawdown_percent."""
    records, decimals = result.records, result.rules.quote_decimals
    frame = pl.DataFrame(
        {
            "timestamp": pl.Series(records.open_times_ms, dtype=pl.Int64),
            "equity": pl.Series(records.equity, dtype=pl.Int128),
            "cash": pl.Series(records.cash, dtype=pl.Int128),
            "drawdown_percent": drawdown_percents(curve_of(result.rules, records)),
        }
    )
    unit = pl.lit(Decimal(1).scaleb(-decimals), dtype=pl.Decimal(38, decimals))
    exact = [
        (pl.col(name).cast(pl.Decimal(38, 0)) * unit).cast(pl.Decimal(38, decimals)).alias(name)
        for name in ("equity", "cash")
    ]
    return frame.with_columns(_as_time("timestamp"), *exact)


def decisions_frame(result: RunResult) -> pl.DataFrame:
    """Every vote's outcome with its votes (a JSON list) and what risk said."""
    return pl.DataFrame(
        result.records.outcomes,
        schema={
            "timestamp": pl.Int64,
            "symbol": pl.String,
            "outcome": pl.String,
            "why": pl.String,
            "score_percent": pl.Float64,
            "votes": pl.String,
            "verdict": pl.String,
            "refusal": pl.String,
            "order_id": pl.String,
        },
    ).with_columns(_as_time("timestamp"))


def trades_csv(result: RunResult) -> str:
    """Every trade, and every open position with empty exit columns, by entry time."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(TRADE_COLUMNS)
    writer.writerows(_trade_rows(result))
    return out.getvalue()


def _trade_rows(result: RunResult) -> Iterator[Sequence[str]]:
    places = {market.symbol: place for place, market in enumerate(result.rules.markets)}
    every: list[Trade | Position] = [*result.records.trades, *result.records.open_positions.values()]
    every.sort(key=lambda trade: (trade.entry_time_ms, places[trade.symbol]))
    for trade in every:
        market = result.rules.markets[places[trade.symbol]]
        entry = (
            trade.symbol,
            iso(trade.entry_time_ms),
            f"{market.price(trade.entry_price):f}",
            f"{market.amount(trade.amount):f}",
            f"{result.money(trade.entry_fee):f}",
        )
        votes = votes_text(trade.votes)
        if isinstance(trade, Position):
            yield (*entry, "", "", "", "open", "", "", votes)
            continue
        yield (
            *entry,
            iso(trade.exit_time_ms),
            f"{market.price(trade.exit_price):f}",
            f"{result.money(trade.exit_fee):f}",
            trade.exit_reason,
            f"{result.money(trade.realized_profit):f}",
            repr(100 * trade.realized_profit / trade.entry_notional),
            votes,
        )


def _as_time(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("ms", "UTC"))


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Write a table in one step; the same table gives the same bytes."""
    partial = path.with_name(path.name + ".partial")
    frame.write_parquet(partial, compression="zstd", statistics=True, row_group_size=ROW_GROUP)
    os.replace(partial, path)


def write_file(path: Path, body: bytes) -> None:
    """Replace a file in one step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(body)
    os.replace(partial, path)
