"""Rounding to ticks, against the plain definition in decimals."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import CandleError
from trading.price_ticks import finest_tick, to_prices, to_ticks

TICKS = [
    Decimal(text) for text in ("1E-8", "0.0000001", "0.001", "0.01", "0.05", "0.25", "0.3", "1", "2.5", "10")
]


def naive_ticks(price: float, tick: Decimal) -> int:
    with localcontext() as context:
        context.prec = 400
        return int((Decimal(repr(price)) / tick).to_integral_value(ROUND_HALF_EVEN))


def near_ties() -> st.SearchStrategy[float]:
    """Prices a few float steps around the middle between two ticks."""

    def price(ticks: int, tick: Decimal, steps: int) -> float:
        middle = float((Decimal(ticks) + Decimal("0.5")) * tick)
        return float(middle + steps * np.spacing(middle))

    return st.builds(price, st.integers(0, 10**9), st.sampled_from(TICKS), st.integers(-3, 3))


PRICES = st.one_of(
    near_ties(),
    st.floats(min_value=1e-12, max_value=1e8, allow_subnormal=False),
    st.decimals(min_value="0.00000001", max_value="99999999", places=8).map(float),
)


@given(st.lists(PRICES, min_size=1, max_size=20), st.sampled_from(TICKS))
def test_ticks_of_any_prices_equal_the_decimal_definition(prices: list[float], tick: Decimal) -> None:
    expected = [naive_ticks(price, tick) for price in prices]
    assert to_ticks(np.array(prices), tick).tolist() == expected


@pytest.mark.parametrize(
    ("price", "tick", "ticks"),
    [
        (100.005, "0.01", 10_000),
        (100.015, "0.01", 10_002),
        (0.125, "0.05", 2),
        (0.375, "0.25", 2),
        (2.675, "0.01", 268),
        (1.005, "0.01", 100),
        (0.000000005, "0.00000001", 0),
        (0.000000015, "0.00000001", 2),
        (69_000.123456785, "0.00000001", 6_900_012_345_678),
        (15.0, "10", 2),
        (25.0, "10", 2),
    ],
)
def test_price_at_a_tie_goes_to_the_even_tick_of_its_text(price: float, tick: str, ticks: int) -> None:
    assert to_ticks(np.array([price]), Decimal(tick)).tolist() == [ticks]


def test_many_prices_at_ties_are_each_rounded_as_alone() -> None:
    prices = np.array([index / 1000 + 0.0005 for index in range(5_000)])
    expected = [naive_ticks(float(price), Decimal("0.001")) for price in prices]
    assert to_ticks(prices, Decimal("0.001")).tolist() == expected


def test_price_of_too_many_ticks_is_refused() -> None:
    with pytest.raises(CandleError, match="too large"):
        to_ticks(np.array([1.0, 1e12]), Decimal("1E-8"))


@given(st.lists(st.integers(1, 2**62), min_size=1, max_size=10), st.sampled_from(TICKS))
def test_prices_of_any_ticks_are_the_nearest_floats(ticks: list[int], tick: Decimal) -> None:
    expected = [float(tick * each) for each in ticks]
    assert to_prices(np.array(ticks, dtype=np.int64), tick).tolist() == expected


@given(st.lists(st.decimals(min_value="0.00000001", max_value="9999999", places=8), min_size=1, max_size=20))
def test_finest_tick_of_decimal_prices_is_their_finest_decimal(prices: list[Decimal]) -> None:
    floats = [float(price) for price in prices]
    places = max(-int(Decimal(repr(price)).normalize().as_tuple().exponent) for price in floats)
    assert finest_tick(np.array(floats)) == Decimal(1).scaleb(-min(8, max(0, places)))


@pytest.mark.parametrize(
    ("prices", "tick"),
    [
        ([100.0, 200.0], "1"),
        ([100.5, 99.0], "0.1"),
        ([0.1 + 0.2], "0.00000001"),
        ([1e-7], "0.0000001"),
        ([1e20, 3.0], "1"),
        ([90_071_992_547_409.12], "0.01"),
    ],
)
def test_finest_tick_of_prices_is_at_most_eight_decimals(prices: list[float], tick: str) -> None:
    assert finest_tick(np.array(prices)) == Decimal(tick)
