"""Markets in integers: every price, amount and fee is whole in the account's quote unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import SettingsError
from trading.market import Market, decimal_places, market_units, quote_decimals, to_units

STEPS = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 500), st.integers(0, 12)
)


@pytest.mark.parametrize(
    ("value", "places"), [("100", 0), ("1E+3", 0), ("0.0100", 2), ("0.00000001", 8), ("2.5", 1), ("0", 0)]
)
def test_decimal_places_are_those_that_a_number_needs(value: str, places: int) -> None:
    assert decimal_places(Decimal(value)) == places


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_decimal_places_of_no_finite_number_are_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="is not a finite number"):
        decimal_places(Decimal(value))


def test_quote_unit_is_a_satoshi_or_finer_where_a_product_needs_it() -> None:
    coarse = Market("BTC/USDT", Decimal("0.01"), Decimal("0.00001"))
    fine = Market("SHIB/USDT", Decimal("0.00000001"), Decimal("0.001"))
    assert quote_decimals([coarse]) == 8
    assert quote_decimals([coarse, fine]) == 11
    assert quote_decimals([coarse], Decimal("0.0000000001")) == 10


def test_units_that_are_not_whole_are_refused() -> None:
    assert to_units(Decimal("12.34"), 2) == 1_234
    with pytest.raises(SettingsError, match=r"12.345 has more than 2 decimals"):
        to_units(Decimal("12.345"), 2)


@given(tick=STEPS, lot=STEPS, minimum=STEPS, price=st.integers(0, 10**12), amount=st.integers(0, 10**12))
def test_money_of_any_market_is_exact(
    tick: Decimal, lot: Decimal, minimum: Decimal, price: int, amount: int
) -> None:
    market = Market("A/B", tick, lot, minimum)
    decimals = quote_decimals([market])
    units = market_units(market, decimals)
    unit = Decimal(1).scaleb(-decimals)
    assert units.notional(price, amount) * unit == (price * tick) * (amount * lot)
    assert (units.price(price), units.amount(amount)) == (price * tick, amount * lot)
    assert units.min_notional * unit == minimum
    assert units.fee_step * unit == min(tick * lot, Decimal("0.00000001"))
    assert units.notional(1, 1) % units.fee_step == 0 or units.fee_step < units.tick_lot
