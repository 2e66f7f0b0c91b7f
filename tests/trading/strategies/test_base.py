"""The public base: what a user writes, in both forms."""

import asyncio
import subprocess
import sys

import polars as pl
import pytest

from tests.data import ROOT
from tests.trading.strategies.walks import walk
from trading.strategies import Integer, MarketView, Side, Signal, Strategy, VectorStrategy, buy, hold, sell
from trading.strategies.base import checked_frame, snake_case, split_reasons
from trading.strategies.evaluate import ABSENT, evaluate


class Dip(Strategy):
    """Buys after so many falling closes."""

    closes = Integer(2, low=1, high=10)
    memory_candles = 11

    @property
    def warmup_candles(self) -> int:
        return self.closes + 1

    def analyze(self, market: MarketView, news: tuple[object, ...]) -> Signal:
        moves = market.candles["close_ticks"].tail(self.closes + 1).diff().drop_nulls()
        return buy(75, f"{self.closes} falling closes") if (moves < 0).all() else hold()


class PatientDip(Dip):
    """The same after an await."""

    async def analyze(self, market: MarketView, news: tuple[object, ...]) -> Signal:  # type: ignore[override]
        await asyncio.sleep(0)
        return Dip.analyze(self, market, news)


class Rise(VectorStrategy):
    warmup_candles = 2
    memory_candles = 2

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        rose = pl.col("close_ticks").diff() > 0
        return candles.select(
            side=pl.when(rose).then(pl.lit("BUY")).when(rose.is_not_null()).then(pl.lit("HOLD")),
            confidence=pl.when(rose).then(60.0).otherwise(0.0),
            reasons=pl.when(rose).then(pl.lit("it rose; today")),
        )


def test_analyze_async_says_the_same_as_sync() -> None:
    candles = walk(60, 3)
    plain = evaluate(Dip(), "A/B", "1h", candles)
    patient = evaluate(PatientDip(), "A/B", "1h", candles)
    assert plain.sides.tolist() == patient.sides.tolist()
    assert 1 in plain.sides
    assert not patient.errors
    index = plain.sides.tolist().index(1)
    assert plain.signal(index, "dip", "A/B", 5) == Signal(
        Side.BUY, 75_000_000, ("2 falling closes",), "dip", "A/B", 5
    )


async def test_evaluate_inside_a_running_loop_still_hears_an_async_strategy() -> None:
    assert evaluate(PatientDip(), "A/B", "1h", walk(10, 3)).errors == {}


def test_vector_analyze_is_the_last_row_of_signals() -> None:
    candles = walk(40, 5)
    for rows in range(2, 41):
        view = MarketView("A/B", "1h", candles.head(rows))
        row = Rise().signals(view.candles).row(-1, named=True)
        signal = Rise().analyze(view, ())
        assert signal is not None
        assert (signal.side, signal.confidence) == (row["side"], row["confidence"] * 1_000_000)
    assert Rise().analyze(MarketView("A/B", "1h", candles.head(1)), ()) is None


def test_vector_reasons_joined_by_semicolons_are_several() -> None:
    assert split_reasons("it rose; today") == ("it rose", "today")
    assert split_reasons(["a", None, "b"]) == ("a", "b")
    assert split_reasons("") == split_reasons(None) == ()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "gave a list, not a polars DataFrame"),
        (pl.DataFrame({"side": ["BUY"], "confidence": [1.0]}), "gave 1 rows for 2 candles"),
        (pl.DataFrame({"side": ["BUY", "BUY"]}), "no column 'confidence'"),
        (pl.DataFrame({"side": [1, 1], "confidence": [1.0, 1.0]}), "'side' holds Int64"),
        (pl.DataFrame({"side": ["BUY", "BUY"], "confidence": ["a", "b"]}), "'confidence' holds String"),
        (
            pl.DataFrame({"side": [None, None], "confidence": [1, 1], "reasons": [1, 2]}),
            "'reasons' holds Int64",
        ),
    ],
)
def test_checked_frame_malformed_is_refused(answer: object, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        checked_frame(answer, 2)


def test_type_name_is_the_class_name_in_snake_case() -> None:
    assert PatientDip.type_name() == "patient_dip"
    assert [snake_case(name) for name in ("RSI", "MyRSI2Cross", "A")] == ["rsi", "my_rsi2_cross", "a"]


def test_sell_and_hold_carry_their_reasons() -> None:
    assert sell(1.5, "a", "b") == Signal(Side.SELL, 1_500_000, ("a", "b"))
    assert hold() == Signal(Side.HOLD, 0)


def test_import_of_the_base_loads_neither_ta_nor_pandas() -> None:
    program = (
        "import trading.strategies, sys; print(sorted({'ta', 'pandas', 'ray', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_absent_code_is_no_side() -> None:
    said = evaluate(Rise(), "A/B", "1h", walk(3, 1))
    assert said.sides[0] == ABSENT
    assert said.signal(0, "rise", "A/B", 0) is None
