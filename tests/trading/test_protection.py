"""Stop and target prices against exact fractions (rulebook 5, step 2)."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.protection import stop_under, target_over
from trading.rules import PERCENT, WHOLE

PERCENTS = st.sampled_from([1, PERCENT, 5 * PERCENT, 12_500_000, WHOLE]) | st.integers(1, WHOLE)


@pytest.mark.parametrize(
    ("price", "percent", "stop", "target"),
    [
        (1_000, 5 * PERCENT, 950, 1_050),
        (1_001, 5 * PERCENT, 950, 1_052),  # 950.95 and 1051.05
        (1, 5 * PERCENT, 0, 2),
        (1_000, 0, 0, 0),
        (1_000, WHOLE, 0, 2_000),
    ],
)
def test_protection_of_a_price_is_rounded_away_from_it(
    price: int, percent: int, stop: int, target: int
) -> None:
    assert (stop_under(price, 1, percent), target_over(price, 1, percent)) == (stop, target)


@given(st.integers(1, 10**24), st.integers(1, 10**12), PERCENTS)
def test_protection_of_a_mean_entry_price_is_that_of_the_fraction(
    notional: int, worth: int, percent: int
) -> None:
    entry, share = Fraction(notional, worth), Fraction(percent, WHOLE)
    assert stop_under(notional, worth, percent) == floor(entry * (1 - share))
    assert target_over(notional, worth, percent) == ceil(entry * (1 + share))
