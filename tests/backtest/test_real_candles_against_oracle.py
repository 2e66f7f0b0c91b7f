"""A backtest of real candles, holes included, gives what the oracle gives on the same files."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.data import shared_file
from tests.oracle.simulate import simulate
from tests.support.replays import backtested, settings_with
from trading.history import load_histories
from trading.settings import Settings
from trading.strategies.evaluate import evaluate
from trading.strategies.registry import made_strategies
from trading.timeframe import timeframe_name

PRICES = ("open", "high", "low", "close")
FILES = {
    "two symbols of which one begins later": {
        "BTC/USDT": "btcusdt_binance_4h_2017-2023.parquet",
        "SOL/USDT": "solusdt_binance_1h_2022-2023.parquet",
    },
    "minutes with many holes": {"BTC/USD": "btcusd_bitfinex_1m_2017-2018.parquet"},
}


def cut(folder: Path, symbol: str, name: str) -> Path:
    """A stretch of a shared file: four-hourly candles made of hourly ones, minutes as they are."""
    candles = pl.read_parquet(shared_file(name))
    if "_1h_" in name:
        candles = candles.group_by_dynamic("timestamp", every="4h").agg(
            pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume")
        )
    candles = candles.slice(20_000, 4_000) if "_1m_" in name else candles.tail(4_600).head(3_000)
    path = folder / f"{symbol.replace('/', '')}.parquet"
    candles.write_parquet(path)
    return path


def oracle_result(settings: Settings, files: dict[str, Path]) -> Any:
    histories = load_histories(list(files.items()), settings.market)
    candles, signals, markets = {}, {}, {}
    for history in histories:
        symbol, frame, times = history.market.symbol, history.candles, history.open_times_ms.tolist()
        markets[symbol] = (history.market.tick, history.market.lot, history.market.min_notional)
        columns = [frame[f"{name}_ticks"].to_list() for name in PRICES]
        candles[symbol] = [
            {"time_ms": time_ms, "volume": Decimal(1), "filled": filled}
            | {name: history.market.tick * ticks for name, ticks in zip(PRICES, row, strict=True)}
            for time_ms, filled, *row in zip(times, frame["filled"].to_list(), *columns, strict=True)
        ]
        for chosen, strategy in made_strategies(settings):
            said = evaluate(strategy, symbol, timeframe_name(history.timeframe_ms), frame)
            for row, time_ms in enumerate(times):
                signal = said.signal(row, chosen.name, symbol, time_ms)
                if signal is not None:
                    confidence = Decimal(signal.confidence).scaleb(-6)
                    signals[chosen.name, symbol, time_ms] = (signal.side.value, confidence)
    voters = [
        {
            "name": chosen.name,
            "weight": chosen.weight,
            "enabled": True,
            "valid_candles": chosen.valid_candles or strategy.valid_candles,
            "warmup_candles": strategy.warmup_candles,
        }
        for chosen, strategy in made_strategies(settings)
    ]
    risk = settings.risk.model_dump(
        exclude={"stale_after_seconds", "max_price_jump_percent", "stop_limit_offset_percent"}
    )
    facts = {
        "initial_capital": settings.engine.initial_capital_quote,
        "timeframe_ms": histories[0].timeframe_ms,
        "markets": markets,
        "strategies": voters,
    }
    return simulate(candles, signals, facts | risk)


@pytest.mark.parametrize("names", FILES.values(), ids=list(FILES))
def test_backtest_of_real_candles_equals_the_oracle(names: dict[str, str], tmp_path: Path) -> None:
    files = {symbol: cut(tmp_path, symbol, name) for symbol, name in names.items()}
    settings = settings_with()
    result, expected = backtested(settings, files), oracle_result(settings, files)
    records = result.records
    equity = [
        (time_ms, result.money(units))
        for time_ms, units in zip(records.open_times_ms, records.equity, strict=True)
    ]
    assert equity == [(row["time_ms"], row["equity"]) for row in expected.equity]
    closed = [trade for trade in expected.trades if trade["exit_reason"] != "open"]
    assert len(records.trades) == len(closed) > 20
    assert sorted(
        (t.symbol, t.entry_time_ms, t.exit_time_ms, t.exit_reason) for t in records.trades
    ) == sorted((t["symbol"], t["entry_time"], t["exit_time"], t["exit_reason"]) for t in closed)
