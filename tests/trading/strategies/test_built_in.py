"""Built-in strategies: against naive implementations of their rules, and the same in every path."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ta.momentum import RSIIndicator
from ta.trend import MACD, SMAIndicator

from tests.data import shared_file
from tests.trading.strategies.walks import candles_of, walk
from trading.strategies import Strategy
from trading.strategies.evaluate import ABSENT, BUY, HOLD, SELL, Evaluated, evaluate
from trading.strategies.lookahead import check_no_lookahead
from trading.strategies.registry import available, make

EVERY_TYPE = pytest.mark.parametrize("type_name", [each.name for each in available()])
GENTLE = {"momentum": {"threshold_percent": 1}}
FLATS = ((300, 40), (700, 1200), (2400, 3))


def built_in(type_name: str) -> Strategy:
    return make(type_name, GENTLE.get(type_name, {}))


def heard(said: Evaluated) -> list[tuple[int, int, tuple[str, ...]]]:
    return [
        (int(side), int(confidence), said.reasons_at(index))
        for index, (side, confidence) in enumerate(zip(said.sides, said.confidences, strict=True))
    ]


def window_of(strategy: Strategy, candles: pl.DataFrame, first: int, last: int) -> Evaluated:
    """The rows computed as a live actor does: from the last candles of its memory alone."""
    memory = strategy.memory_candles
    assert memory is not None
    start = max(0, first - memory + 1)
    window = candles.slice(start, last - start)
    return evaluate(strategy, "A/B", "1h", window, first - start, candles_before=start, closes_before=start)


@EVERY_TYPE
def test_built_in_whole_batches_and_single_candles_say_the_same(type_name: str) -> None:
    candles = walk(2600, 17, flat=FLATS)
    strategy = built_in(type_name)
    whole = heard(evaluate(strategy, "A/B", "1h", candles))
    assert {BUY, SELL, ABSENT} <= {side for side, _, _ in whole}
    for first in range(0, candles.height, 197):
        last = min(first + 197, candles.height)
        assert heard(window_of(strategy, candles, first, last)) == whole[first:last]
    starts = (0, 296, 695, 1880, 2390)
    for row in (row for start in starts for row in range(start, start + 120, 5)):
        assert heard(window_of(strategy, candles, row, row + 1)) == whole[row : row + 1]


@EVERY_TYPE
def test_built_in_after_a_very_long_flat_stretch_needs_its_memory_only(type_name: str) -> None:
    candles = walk(101_000, 23, flat=[(500, 100_000)])
    strategy = built_in(type_name)
    whole = evaluate(strategy, "A/B", "1h", candles)
    for first, last in [(600, 1500), (50_000, 50_010), (100_400, 101_000)]:
        assert heard(window_of(strategy, candles, first, last)) == heard(whole)[first:last]
    assert set(whole.sides[50_000:50_010].tolist()) == {HOLD}


@EVERY_TYPE
@pytest.mark.parametrize("seed", [1, 2])
def test_built_in_does_not_look_ahead(type_name: str, seed: int) -> None:
    candles = walk(4000, seed, flat=FLATS)
    strategy = built_in(type_name)
    check_no_lookahead(strategy, "A/B", "1h", candles, evaluate(strategy, "A/B", "1h", candles), seed)


@EVERY_TYPE
def test_built_in_on_real_candles_agrees_with_its_memory_alone(type_name: str) -> None:
    table = pl.read_parquet(shared_file("btcusdt_binance_1h_2017-2023.parquet")).head(12_000)
    closes = (table["close"] * 100).round().cast(pl.Int64).to_numpy()
    candles = candles_of(closes, np.zeros(len(closes), bool))
    strategy = built_in(type_name)
    whole = evaluate(strategy, "A/B", "1h", candles)
    check_no_lookahead(strategy, "A/B", "1h", candles, whole, 3)
    for first in (2_000, 5_000, 9_000):
        assert heard(window_of(strategy, candles, first, first + 300)) == heard(whole)[first : first + 300]


@EVERY_TYPE
def test_built_in_every_signal_but_no_opinion_has_reasons(type_name: str) -> None:
    said = evaluate(built_in(type_name), "A/B", "1h", walk(1500, 31))
    for side, confidence, reasons in heard(said):
        if side in (BUY, SELL):
            assert confidence > 0
            assert reasons
        else:
            assert confidence == 0


@EVERY_TYPE
@given(rows=st.integers(0, 70))
def test_built_in_short_history_never_fails(type_name: str, rows: int) -> None:
    candles = walk(70, 5).head(rows)
    said = evaluate(built_in(type_name), "A/B", "1h", candles)
    assert said.errors == {}
    assert len(said) == rows
    assert (said.sides[: built_in(type_name).warmup_candles - 1] == ABSENT).all()


def naive_cross(closes: list[int], fast: int, slow: int) -> list[int]:
    """`sma_cross` by the words of its rule, in fractions."""

    def gap(row: int) -> Fraction:
        means = [Fraction(sum(closes[row + 1 - n : row + 1]), n) for n in (fast, slow)]
        return means[0] - means[1]

    said = [ABSENT] * min(slow, len(closes))
    for row in range(slow, len(closes)):
        before, now = gap(row - 1), gap(row)
        said.append(BUY if before <= 0 < now else SELL if before >= 0 > now else HOLD)
    return said


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=60),
    st.integers(1, 6),
    st.integers(1, 8),
    st.sampled_from([0, 10**12, 9 * 10**17]),
)
def test_sma_cross_equals_the_naive_rule(closes: list[int], fast: int, more: int, base: int) -> None:
    scale = 10**17 if base > 10**15 else 1
    ticks = [base + close * scale // 12 for close in closes] if base else closes
    candles = candles_of(np.array(ticks, np.int64), np.zeros(len(ticks), bool))
    strategy = make("sma_cross", {"fast": fast, "slow": fast + more})
    said = evaluate(strategy, "A/B", "1h", candles)
    assert said.sides.tolist() == naive_cross(ticks, fast, fast + more)
    assert set(said.confidences[np.isin(said.sides, (BUY, SELL))].tolist()) <= {100_000_000}


def test_sma_cross_sums_too_large_for_64_bits_are_still_exact() -> None:
    rng = np.random.default_rng(8)
    closes = rng.integers(1, 9 * 10**16, 400)
    strategy = make("sma_cross", {"fast": 97, "slow": 98})
    said = evaluate(strategy, "A/B", "1h", candles_of(closes, np.zeros(400, bool)))
    assert said.sides.tolist() == naive_cross([int(close) for close in closes], 97, 98)


def naive_technical(close: "pd.Series[float]") -> list[tuple[int, int]]:
    """`technical` by the words of its rule, on `ta`, at 9 significant digits."""
    rsi, macd = RSIIndicator(close).rsi(), MACD(close)
    columns = (
        rsi,
        SMAIndicator(close, 20).sma_indicator(),
        SMAIndicator(close, 50).sma_indicator(),
        macd.macd(),
        macd.macd_signal(),
    )
    said = [(ABSENT, 0)] * 49
    for row in range(49, len(close)):
        index, fast, slow, line, signal = (Decimal(f"{float(values[row]):.9g}") for values in columns)
        buy = 30 * (index < 30) + 25 * (fast > slow) + 20 * (line > signal)
        sell = 30 * (index > 70) + 25 * (fast < slow) + 20 * (line < signal)
        side = BUY if buy > sell else SELL if sell > buy else HOLD
        confidence = 0 if side == HOLD else round(Fraction(max(buy, sell) * 100 * 10**6, 75))
        said.append((side, confidence))
    return said


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_technical_equals_the_naive_rule_on_ta(seed: int) -> None:
    candles = walk(1200, seed)
    said = evaluate(make("technical", {}), "A/B", "1h", candles)
    got = list(zip(said.sides.tolist(), said.confidences.tolist(), strict=True))
    assert got == naive_technical(pd.Series(candles["close"].to_numpy()))


def test_technical_on_real_candles_equals_the_naive_rule_on_ta() -> None:
    table = pl.read_parquet(shared_file("btcusdt_binance_1h_2017-2023.parquet")).head(5_000)
    closes = (table["close"] * 100).round().cast(pl.Int64).to_numpy()
    candles = candles_of(closes, np.zeros(len(closes), bool))
    said = evaluate(make("technical", {}), "A/B", "1h", candles)
    got = list(zip(said.sides.tolist(), said.confidences.tolist(), strict=True))
    assert got == naive_technical(pd.Series(candles["close"].to_numpy()))


def test_technical_reasons_name_every_component_that_scored() -> None:
    falling = candles_of(np.arange(200_000, 100_000, -1000), np.zeros(100, bool))
    said = evaluate(make("technical", {}), "A/B", "1h", falling)
    words = ("RSI 0.0 under 30", "SMA 20 under SMA 50", "MACD under its signal line")
    assert heard(said)[99] == (SELL, 60_000_000, words)


def test_breakout_close_over_the_channel_buys_and_under_it_sells() -> None:
    closes = np.array([1000] * 30 + [3000, 3000, 100], np.int64)
    candles = candles_of(closes, np.ones(33, bool))
    said = evaluate(make("breakout", {"entry": 20, "exit": 10, "confidence": 60}), "A/B", "1h", candles)
    assert said.sides[29:].tolist() == [HOLD, BUY, HOLD, SELL]
    assert said.confidences[30] == 60_000_000


def test_momentum_confidence_grows_from_fifty_at_the_threshold() -> None:
    closes = np.array([10_000] * 5 + [10_200, 10_301, 10_400, 9_000], np.int64)
    strategy = make("momentum", {"window": 1, "threshold_percent": 0.5})
    said = evaluate(strategy, "A/B", "1h", candles_of(closes, np.zeros(9, bool)))
    assert said.sides[1:].tolist() == [HOLD] * 4 + [BUY] * 3 + [SELL]
    assert said.confidences[5:].tolist() == [100_000_000, 99_000_000, 96_000_000, 100_000_000]
