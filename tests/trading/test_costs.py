"""Fee and slippage: rounded against us, and the most lots that the cash pays for."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from trading.costs import affordable_lots, bought_at, fee, sold_at
from trading.rules import PERCENT, WHOLE

PERCENTS = st.sampled_from([0, 1, PERCENT // 10, 333_333, 7 * PERCENT, WHOLE]) | st.integers(0, WHOLE)
MONEY = st.integers(0, 10**24)
STEPS = st.sampled_from([1, 10, 10**6])


def test_fee_of_a_tenth_percent_is_rounded_up_to_the_step() -> None:
    assert fee(1_000, PERCENT // 10, 1) == 1
    assert fee(1_001, PERCENT // 10, 1) == 2
    assert fee(1_001, PERCENT // 10, 10) == 10
    assert fee(1_001, 0, 10) == 0


def test_slippage_of_five_hundredths_is_rounded_against_us() -> None:
    slippage = PERCENT // 20
    assert (bought_at(2_000, slippage), sold_at(2_000, slippage)) == (2_001, 1_999)
    assert (bought_at(2_001, slippage), sold_at(2_001, slippage)) == (2_003, 1_999)
    assert (bought_at(7, 0), sold_at(7, 0)) == (7, 7)


@given(MONEY, PERCENTS, STEPS)
def test_fee_of_any_notional_is_the_least_step_not_under_the_share(
    notional: int, percent: int, step: int
) -> None:
    charged = fee(notional, percent, step)
    assert charged == ceil(Fraction(notional * percent, WHOLE) / step) * step


@given(st.integers(1, 10**15), PERCENTS)
def test_price_after_slippage_is_the_rounded_fraction(price: int, percent: int) -> None:
    assert bought_at(price, percent) == ceil(price * (1 + Fraction(percent, WHOLE)))
    assert sold_at(price, percent) == floor(price * (1 - Fraction(percent, WHOLE)))


@given(st.integers(0, 10**6), st.integers(-5, 5), st.integers(1, 10**9), PERCENTS, STEPS)
def test_affordable_lots_are_paid_for_and_one_more_is_not(
    lots: int, more: int, units: int, percent: int, step: int
) -> None:
    lot_cost = units * step  # a market's fee step never exceeds the cost of a lot

    def cost(lots: int) -> int:
        return lots * lot_cost + fee(lots * lot_cost, percent, step)

    cash = cost(lots) + more  # near a whole number of lots, where rounding decides
    found = affordable_lots(cash, lot_cost, percent, step)
    assert found >= 0
    assert found == 0 or cost(found) <= cash
    assert cost(found + 1) > cash
