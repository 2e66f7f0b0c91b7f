"""Bad candles, filled candles, and what a long hole leads to (rulebook 1)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.accounts import BTC, HOUR_MS, START_MS
from trading.candles import Candle, Holes, fault, filled_candle


@pytest.mark.parametrize(
    ("prices", "volume", "said"),
    [
        ((10, 12, 9, 11), 1.0, None),
        ((10, 10, 10, 10), 0.0, None),
        ((0, 12, 9, 11), 1.0, "a price is not positive"),
        ((10, 12, -1, 11), 1.0, "a price is not positive"),
        ((10, 12, 9, 11), -0.1, "its volume -0.1 is negative or not finite"),
        ((10, 12, 9, 11), math.nan, "its volume nan is negative or not finite"),
        ((10, 12, 9, 11), math.inf, "its volume inf is negative or not finite"),
        ((10, 10, 9, 11), 1.0, "its high is under its open or close"),
        ((12, 11, 9, 11), 1.0, "its high is under its open or close"),
        ((10, 12, 11, 11), 1.0, "its low is over its open or close"),
    ],
)
def test_fault_of_a_candle_is_the_rule_that_it_breaks(
    prices: tuple[int, int, int, int], volume: float, said: str | None
) -> None:
    assert fault(Candle(BTC, *prices, volume), START_MS, HOUR_MS) == said


def test_fault_of_an_open_time_off_the_grid_names_it() -> None:
    said = fault(Candle(BTC, 1, 1, 1, 1, 1.0), START_MS + 60_000, HOUR_MS)
    assert said == "its open time 2020-01-01T00:01:00Z is off the grid"


def test_filled_candle_is_flat_at_the_last_close_and_good() -> None:
    made = filled_candle(BTC, 77)
    assert made == Candle(BTC, 77, 77, 77, 77, 0.0, True)
    assert fault(made, START_MS, HOUR_MS) is None


@given(
    st.lists(st.booleans(), max_size=40)
    | st.lists(st.integers(1, 8), max_size=12).map(
        lambda runs: [place % 2 == 1 for place, run in enumerate(runs) for _ in range(run)]
    ),
    st.integers(0, 4),
    st.integers(0, 6),
)
def test_holes_of_any_candles_recover_after_the_warmup(candles: list[bool], most: int, warmup: int) -> None:
    """Entries wait while fewer real candles than the warm-up stand after the end of the last long hole."""
    holes = Holes()
    for number, filled in enumerate(candles, 1):
        holes.see(filled, most)
        seen = candles[:number]
        ends = [
            place
            for place in range(1, number)
            if not seen[place] and all(seen[max(0, place - most - 1) : place]) and place > most
        ]
        real = sum(not each for each in seen[ends[-1] :]) if ends else 0
        assert holes.recovering(warmup) == (bool(ends) and real < warmup)
