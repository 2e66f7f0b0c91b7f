"""Strategies that look ahead or forget to declare their memory are found; honest ones pass."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.trading.strategies.walks import HOUR_MS, START_MS, walk
from trading.errors import StrategyError
from trading.strategies import MarketView, Signal, Strategy, VectorStrategy, hold
from trading.strategies.answers import answers
from trading.strategies.evaluate import BUY, evaluate
from trading.strategies.lookahead import check_no_lookahead
from trading.timeframe import iso

CLOSE = pl.col("close_ticks")


class Rule(VectorStrategy):
    """BUY 80 and SELL 80 by two conditions on the close."""

    memory_candles: int | None = None
    warmup_candles = 60

    def values(self) -> pl.Expr:
        raise NotImplementedError

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        value = pl.col("value")
        return candles.select(value=self.values()).select(
            answers(value > 0, value < 0, pl.lit(80), "value over 0", "value under 0")
        )


class Honest(Rule):
    memory_candles = 50

    def values(self) -> pl.Expr:
        return CLOSE - CLOSE.rolling_mean(50)


class CrossOfTomorrow(Rule):
    """A cross, read one candle too early."""

    def values(self) -> pl.Expr:
        above = (CLOSE.rolling_mean(10) - CLOSE.rolling_mean(30)).sign()
        return (above.shift(-1) - above).fill_null(0)


class WholeHistory(Rule):
    def values(self) -> pl.Expr:
        return CLOSE / CLOSE.mean() - 1


class Centred(Rule):
    def values(self) -> pl.Expr:
        return CLOSE - CLOSE.rolling_mean(21, center=True).fill_null(CLOSE)


class ForgetfulAverage(Rule):
    memory_candles = 49

    def values(self) -> pl.Expr:
        return CLOSE - CLOSE.rolling_mean(50)


class ShortExponential(Rule):
    memory_candles = 20

    def values(self) -> pl.Expr:
        return CLOSE - CLOSE.ewm_mean(span=50, adjust=False)


class FadedConfidence(Rule):
    """The sides are honest, the confidence knows the highest price of the whole history."""

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        rose = CLOSE.diff() > 0
        return candles.select(
            side=pl.when(rose).then(pl.lit("BUY")).otherwise(pl.lit("HOLD")),
            confidence=(100 * CLOSE / CLOSE.max()).clip(0, 100),
        )


class NullsOfTomorrow(Rule):
    """Left out where the next candle is not known."""

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        known = CLOSE.shift(-1).is_not_null()
        return candles.select(side=pl.when(known).then(pl.lit("HOLD")), confidence=pl.lit(0.0))


class OneByOne(Strategy):
    def analyze(self, market: MarketView, news: tuple[object, ...]) -> Signal:
        return hold(float(market.candles.height % 100))


def check(
    strategy: Strategy, candles: pl.DataFrame, seed: int = 1, every: int = 1, closes_before: int = 0
) -> None:
    said = evaluate(strategy, "ETH/USDT", "1h", candles, closes_before=closes_before, every_candles=every)
    check_no_lookahead(
        strategy,
        "ETH/USDT",
        "1h",
        candles,
        said,
        seed,
        name="mine",
        closes_before=closes_before,
        every_candles=every,
    )


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 400), every=st.integers(1, 9))
@hypothesis_settings(max_examples=25)
def test_check_honest_strategy_passes(seed: int, rows: int, every: int) -> None:
    check(Honest(), walk(rows, seed % 50), seed, every, closes_before=seed % 11)
    check(OneByOne(), walk(rows, seed % 50), seed)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cls", [CrossOfTomorrow, WholeHistory, Centred, FadedConfidence, NullsOfTomorrow])
def test_check_looking_ahead_is_found(cls: type[Rule], seed: int) -> None:
    with pytest.raises(StrategyError, match=r"strategy 'mine' looks ahead: at the candle 20.*Z of ETH/USDT"):
        check(cls(), walk(3000, seed), seed)


@pytest.mark.parametrize("every", [2, 5])
def test_check_looking_ahead_is_found_when_asked_at_some_closes_only(every: int) -> None:
    with pytest.raises(StrategyError, match="looks ahead"):
        check(CrossOfTomorrow(), walk(3000, 3), 1, every)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cls", [ForgetfulAverage, ShortExponential])
def test_check_too_small_a_memory_is_found_and_told_apart(cls: type[Rule], seed: int) -> None:
    words = (
        f"needs more memory than the {cls.memory_candles} candles it declares: at the candle 20.* of ETH/USDT"
    )
    with pytest.raises(StrategyError, match=words):
        check(cls(), walk(3000, seed), seed)


def test_check_names_the_first_candle_that_differs_and_what_was_said() -> None:
    candles = walk(1000, 6)
    strategy = WholeHistory()
    said = evaluate(strategy, "ETH/USDT", "1h", candles)
    with pytest.raises(StrategyError) as raised:
        check(strategy, candles)
    row = next(row for row in range(1000) if f"candle {iso(START_MS + row * HOUR_MS)} " in str(raised.value))
    shown = "BUY 80" if said.sides[row] == BUY else "SELL 80"
    assert f"it said {shown} with the later candles and" in str(raised.value)
    # With any history that ends later the rows before it read the same: it is the first.
    assert row >= strategy.warmup_candles - 1


def test_check_same_seed_finds_the_same_candle() -> None:
    sentences = set()
    for _ in range(2):
        with pytest.raises(StrategyError) as raised:
            check(Centred(), walk(3000, 1), 9)
        sentences.add(str(raised.value))
    assert len(sentences) == 1
