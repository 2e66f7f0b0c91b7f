"""What a strategy says at some candles: when it is asked, and what counts as its error."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.trading.strategies.walks import walk
from trading.signals import Side, Signal
from trading.strategies import MarketView, Strategy, VectorStrategy, buy
from trading.strategies.evaluate import ABSENT, BUY, HOLD, SELL, Evaluated, evaluate

CANDLES = walk(200, 4)
Answer = Callable[[MarketView], Any]


class Asked(Strategy):
    """Says what it is told to, and keeps what it saw."""

    warmup_candles = 3

    def __init__(self, answer: Answer, memory: int | None = None) -> None:
        super().__init__()
        self.answer = answer
        self.memory = memory
        self.seen: list[pl.DataFrame] = []

    @property
    def memory_candles(self) -> int | None:
        return self.memory

    def analyze(self, market: MarketView, news: tuple[object, ...]) -> Any:
        self.seen.append(market.candles)
        return self.answer(market)


class Columns(VectorStrategy):
    """Says the columns it is given, by the candle's place since the first row it has."""

    memory_candles = None

    def __init__(self, **columns: Sequence[Any] | pl.Series) -> None:
        super().__init__()
        self.columns = columns

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(
            {name: values[: candles.height] for name, values in self.columns.items()}, strict=False
        )


class Picky(VectorStrategy):
    """Raises when any candle of its window is filled; else BUY on a rise."""

    memory_candles = 3

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        self.calls += 1
        if candles["filled"].any():
            raise RuntimeError("a filled candle")
        rose = (pl.col("close_ticks").diff() > 0).fill_null(False)
        return candles.select(
            side=pl.when(rose).then(pl.lit("BUY")).otherwise(pl.lit("HOLD")),
            confidence=rose.cast(pl.Float64) * 100,
            reasons=pl.when(rose).then(pl.lit("rose; again")),
        )


class Broken(Picky):
    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        self.calls += 1
        return candles.select("nothing of the kind")


def test_evaluate_before_the_warmup_is_absent_and_not_asked() -> None:
    strategy = Asked(lambda market: buy(60))
    said = evaluate(strategy, "A/B", "1h", CANDLES.head(5))
    assert said.sides.tolist() == [ABSENT, ABSENT, BUY, BUY, BUY]
    assert said.errors == {}
    assert [seen.height for seen in strategy.seen] == [3, 4, 5]


def test_evaluate_warmup_counts_the_symbols_own_candles_before_the_window() -> None:
    strategy = Asked(lambda market: buy(60), memory=2)
    assert evaluate(strategy, "A/B", "1h", CANDLES.head(2), 1, candles_before=1).sides.tolist() == [BUY]
    assert evaluate(strategy, "A/B", "1h", CANDLES.head(2), 1, candles_before=0).sides.tolist() == [ABSENT]


@pytest.mark.parametrize("every", [1, 2, 3, 7])
@pytest.mark.parametrize("closes_before", [0, 1, 5])
def test_evaluate_every_so_many_counts_closes_from_the_anchor(every: int, closes_before: int) -> None:
    strategy = Asked(lambda market: buy(60))
    said = evaluate(strategy, "A/B", "1h", CANDLES, 50, 90, closes_before=closes_before, every_candles=every)
    spoke = [row for row, side in enumerate(said.sides, start=50) if side == BUY]
    assert spoke == [row for row in range(50, 90) if (closes_before + row + 1) % every == 0]
    assert len(strategy.seen) == len(spoke)


@pytest.mark.parametrize("memory", [None, 1, 4, 500])
def test_evaluate_shows_the_declared_memory_and_no_later_candle(memory: int | None) -> None:
    strategy = Asked(lambda market: buy(1), memory)
    evaluate(strategy, "A/B", "1h", CANDLES, 60, 70)
    for row, seen in enumerate(strategy.seen, start=60):
        start = 0 if memory is None else max(0, row + 1 - memory)
        assert seen.equals(CANDLES.slice(start, row + 1 - start))


def test_evaluate_window_shorter_than_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="too few candles"):
        evaluate(Asked(lambda market: None, memory=10), "A/B", "1h", CANDLES.head(12), 5, candles_before=50)
    with pytest.raises(ValueError, match="memory of all"):
        evaluate(Asked(lambda market: None), "A/B", "1h", CANDLES, candles_before=1)
    with pytest.raises(ValueError, match="not within"):
        evaluate(Asked(lambda market: None), "A/B", "1h", CANDLES, 5, 300)


def odd(market: MarketView) -> Signal | None:
    """Another fault at each height."""
    answers: dict[int, Callable[[], Any]] = {
        3: lambda: buy(100.5),
        4: lambda: 1 / 0,
        5: lambda: "BUY",
        6: lambda: Signal(Side.BUY, 100_000_001),
        7: lambda: Signal(Side.BUY, 0.5),  # type: ignore[arg-type]
        8: lambda: Signal("BUY", 5),  # type: ignore[arg-type]
        9: lambda: None,
        10: lambda: sys.exit(3),
        11: lambda: buy(float("nan")),
    }
    found: Signal | None = answers[market.candles.height]()
    return found


def test_evaluate_faults_are_absent_with_their_reason_and_none_is_just_absent() -> None:
    said = evaluate(Asked(odd), "A/B", "1h", CANDLES.head(11))
    assert set(said.sides.tolist()) == {ABSENT}
    assert sorted(said.errors) == [2, 3, 4, 5, 6, 7, 9, 10]
    assert said.errors[2].startswith("ValueError: confidence 100.5 is not within 0 to 100 (line ")
    assert said.errors[3].startswith("ZeroDivisionError: division by zero (line ")
    assert "not a signal" in said.errors[4]
    assert said.errors[5] == "ValueError: confidence 100000001 is not within 0 to 100000000 millionths"
    assert said.errors[9].startswith("SystemExit: 3")


def test_evaluate_vector_rows_out_of_bounds_are_errors_of_their_rows_alone() -> None:
    nan, inf = float("nan"), float("inf")
    strategy = Columns(
        side=["BUY", "SELL", "HOLD", None, "LONG", "BUY", "SELL", "BUY", "BUY", "buy"],
        confidence=[100, 0, 5.5, 300, 50, nan, -0.1, inf, None, 1],
    )
    said = evaluate(strategy, "A/B", "1h", CANDLES.head(10))
    assert said.sides.tolist() == [BUY, SELL, HOLD] + [ABSENT] * 7
    assert said.confidences.tolist() == [100_000_000, 0, 5_500_000] + [0] * 7
    assert sorted(said.errors) == [4, 5, 6, 7, 8, 9]
    assert said.errors[4] == "side 'LONG' is not BUY, SELL or HOLD"
    assert said.errors[6] == "confidence -0.1 is not within 0 to 100"


def test_evaluate_confidence_is_rounded_half_even_to_millionths() -> None:
    strategy = Columns(side=["BUY"] * 3, confidence=[0.0000005, 0.0000015, 100 / 3])
    assert evaluate(strategy, "A/B", "1h", CANDLES.head(3)).confidences.tolist() == [0, 2, 33_333_333]


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["BUY", "SELL", "HOLD"])])
def test_evaluate_side_as_a_category_is_read_like_a_string(kind: Any) -> None:
    strategy = Columns(side=pl.Series(["BUY", "SELL", None], dtype=kind), confidence=[1, 2, 3])
    assert evaluate(strategy, "A/B", "1h", CANDLES.head(3)).sides.tolist() == [BUY, SELL, ABSENT]


def test_evaluate_reasons_as_strings_and_as_lists_read_the_same() -> None:
    sides: dict[str, list[Any]] = {"side": ["BUY"] * 3, "confidence": [1.0] * 3}
    joined = Columns(**sides, reasons=["a; b", None, ""])
    listed = Columns(**sides, reasons=[["a", "b"], None, []])
    for strategy in (joined, listed):
        said = evaluate(strategy, "A/B", "1h", CANDLES.head(3))
        assert [said.reasons_at(index) for index in range(3)] == [("a", "b"), (), ()]
        times = [7, 8, 9]
        one_by_one = [said.signal(index, "me", "A/B", times[index]) for index in range(3)]
        assert said.signals(0, 3, "me", "A/B", times) == one_by_one
        assert one_by_one[0] == Signal(Side.BUY, 1_000_000, ("a", "b"), "me", "A/B", 7)


def spoken(said: Evaluated) -> list[Signal | None]:
    return [said.signal(index, "s", "A/B", index) for index in range(len(said))]


def test_evaluate_vector_that_raises_is_asked_candle_by_candle() -> None:
    candles = walk(400, 9, flat=[(100, 5), (300, 1)])
    said = evaluate(Picky(), "A/B", "1h", candles)
    single = [evaluate(Picky(), "A/B", "1h", candles, row, row + 1) for row in range(400)]
    assert sorted(said.errors) == [*range(100, 107), *range(300, 303)]
    assert said.errors == {row: each.errors[0] for row, each in enumerate(single) if each.errors}
    assert spoken(said) == [
        None if signal is None else Signal(signal.side, signal.confidence, signal.reasons, "s", "A/B", row)
        for row, signal in enumerate(each.signal(0, "s", "A/B", 0) for each in single)
    ]
    assert "RuntimeError: a filled candle (line " in said.errors[100]
    assert said.reasons_at(int(np.flatnonzero(said.sides == BUY)[0])) == ("rose", "again")


def test_evaluate_vector_broken_everywhere_says_so_without_asking_at_every_candle() -> None:
    candles = walk(50_000, 2)
    strategy = Broken()
    said = evaluate(strategy, "A/B", "1h", candles)
    assert len(said.errors) == 50_000
    assert "ColumnNotFoundError" in said.errors[49_999]
    assert strategy.calls < 100


def test_evaluate_no_row_is_empty() -> None:
    assert len(evaluate(Picky(), "A/B", "1h", CANDLES, 5, 5)) == 0
    assert len(evaluate(Picky(), "A/B", "1h", CANDLES.clear())) == 0
