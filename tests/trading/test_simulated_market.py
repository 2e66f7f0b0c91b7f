"""The made-up market: repeatable, endless, and lively enough to trade."""

import time
from itertools import islice

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.simulated_market import BLOCK_CANDLES, SimulatedMarket, block, blocks, simulated_candles

HOUR_MS = 3_600_000
HOURLY = SimulatedMarket("BTC/USDT", 1, HOUR_MS)


def test_block_of_the_same_market_is_the_same_block() -> None:
    again = SimulatedMarket("BTC/USDT", 1, HOUR_MS)
    one, other = block(HOURLY, 3, 2_500_000), block(again, 3, 2_500_000)
    assert np.array_equal(one.close, other.close) and np.array_equal(one.volume, other.volume)


@pytest.mark.parametrize(
    "other",
    [
        SimulatedMarket("BTC/USDT", 2, HOUR_MS),
        SimulatedMarket("ETH/USDT", 1, HOUR_MS),
        SimulatedMarket("BTC/USDT", 1, 60_000),
    ],
)
def test_block_of_another_market_is_another_block(other: SimulatedMarket) -> None:
    assert not np.array_equal(block(HOURLY, 0, 2_500_000).close, block(other, 0, 2_500_000).close)


@given(st.integers(0, 30), st.integers(1, 5))
def test_market_continued_after_any_block_gives_the_same_candles(stop: int, more: int) -> None:
    whole = list(islice(blocks(HOURLY), stop + more))
    start = whole[stop - 1].end_ticks if stop else None
    resumed = list(islice(blocks(HOURLY, stop, start), more))
    assert [each.close.tolist() for each in resumed] == [each.close.tolist() for each in whole[stop:]]


@given(
    st.integers(0, 2**63 - 1),
    st.sampled_from(["BTC/USDT", "XRP/USDT", "DOGE/EUR"]),
    st.sampled_from([1_000, 60_000, HOUR_MS, 86_400_000]),
    st.integers(0, 10**9),
)
def test_candles_of_any_market_obey_the_rules(seed: int, symbol: str, timeframe_ms: int, index: int) -> None:
    market = SimulatedMarket(symbol, seed, timeframe_ms)
    made = block(market, index, market.start_ticks)
    assert made.open[0] == market.start_ticks
    assert np.array_equal(made.open[1:], made.close[:-1])
    assert (made.high >= np.maximum(made.open, made.close)).all()
    assert (made.low <= np.minimum(made.open, made.close)).all()
    assert (made.low > 0).all()
    assert (np.isfinite(made.volume) & (made.volume >= 0)).all()
    assert len(made.close) == BLOCK_CANDLES


def test_market_over_a_million_candles_stays_in_sight() -> None:
    closes = simulated_candles(HOURLY, 0, 1_000_000)["close"]
    assert closes.min() > 3_000 and closes.max() < 300_000  # type: ignore[operator]


@pytest.mark.parametrize("timeframe_ms", [60_000, HOUR_MS])
def test_moving_averages_cross_every_few_dozen_candles(timeframe_ms: int) -> None:
    for seed in range(3):
        closes = simulated_candles(SimulatedMarket("BTC/USDT", seed, timeframe_ms), 0, 50_000)["close"]
        over = (closes.rolling_mean(20) > closes.rolling_mean(50)).drop_nulls()
        assert 20 < 50_000 / over.ne(over.shift()).sum() < 60


def test_candles_are_made_faster_than_anybody_reads_them() -> None:
    begin = time.process_time()
    simulated_candles(HOURLY, 0, 500_000)
    assert time.process_time() - begin < 3


def test_simulated_candles_have_the_columns_of_a_history() -> None:
    table = simulated_candles(HOURLY, 1_577_836_800_000, 2_500)
    assert table.height == 2_500
    steps = table["timestamp"].diff().drop_nulls().dt.total_milliseconds().unique().to_list()
    assert steps == [HOUR_MS]
    assert not table["filled"].any()
    assert np.array_equal(table["close"].to_numpy(), table["close_ticks"].to_numpy() / 100)
    assert table.schema["timestamp"] == pl.Datetime("ms", "UTC")
