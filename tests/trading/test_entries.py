"""Entries (rulebook 4): how much is bought, and every reason for which nothing is."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.trading.accounts import BTC, ETH, HOUR_MS, START_MS, USUAL, Account, of_kind, refusals, rules_with
from trading.costs import fee
from trading.decisions import OrderIntended, Refusal
from trading.engine import Engine
from trading.entries import sized
from trading.events import RunStarted
from trading.ledger import Position
from trading.rules import PERCENT, WHOLE, Costs, Seat

THIRTY_SECONDS_MS = 30_000
XRP = "XRP/USDT"


@given(
    percent=st.integers(1, 100).map(lambda whole: whole * PERCENT) | st.integers(1, WHOLE),
    costs=st.builds(Costs, st.integers(0, 10 * PERCENT), st.integers(0, 10 * PERCENT)),
    price=st.integers(1, 10**7),
    free_lots=st.integers(0, 10**5),
    reserved_lots=st.integers(0, 10**5),
    held_lots=st.integers(0, 10**5),
    more=st.integers(-2, 2),
)
def test_size_of_any_entry_is_the_largest_that_cash_and_share_allow(
    percent: int, costs: Costs, price: int, free_lots: int, reserved_lots: int, held_lots: int, more: int
) -> None:
    rules = rules_with((BTC, ETH), costs, position_size_percent=percent)
    cost = rules.markets[0].notional(price, 1)
    reserved, held = reserved_lots * cost, held_lots * cost
    cash = reserved + free_lots * cost + more
    state = Engine.start(RunStarted(rules, START_MS, START_MS)).state
    state.cash, state.equity = cash, cash + held
    account = Account(rules_with((BTC, ETH)))
    account.hour({BTC: 100, ETH: 100}, ETH="BUY")
    waiting = account.engine.state.symbols[ETH].entry
    assert waiting is not None
    state.symbols[ETH].entry = replace(waiting, reserved=reserved)
    market = rules.markets[0]

    def fits(lots: int) -> bool:
        notional = market.notional(price, lots)
        paid = notional + fee(notional, costs.fee_percent, market.fee_step)
        within_share = Fraction(notional) <= Fraction(percent, WHOLE) * state.equity
        return within_share and paid <= cash - reserved

    lots = sized(state, market, price)
    assert lots >= 0
    assert lots == 0 or fits(lots)
    assert not fits(lots + 1)


def test_entry_with_costs_reserves_its_notional_and_fee_at_the_sizing_price() -> None:
    account = Account(rules_with(costs=USUAL))
    (intended,) = of_kind(account.btc(2_001, said="BUY"), OrderIntended)
    order, market = intended.order, account.engine.state.rules.markets[0]
    notional = market.notional(2_003, 49)  # 2001 x 1.0005 rounded up; 100 / 2.003 a lot, rounded down
    assert (order.sizing_price, order.amount) == (2_003, 49)
    assert order.reserved == notional + fee(notional, USUAL.fee_percent, market.fee_step)
    assert order.decided_ms == START_MS + HOUR_MS


# What makes each refusal true.
BLOCKS: dict[Refusal, dict[str, Any]] = {
    Refusal.PAUSED: {"paused": True},
    Refusal.KILLED: {"killed": "operator"},
    Refusal.DAILY_LOSS: {"day_blocked": True},
}
LIMITS: dict[Refusal, dict[str, Any]] = {
    Refusal.MAX_OPEN_POSITIONS: {"max_open_positions": 0},
    Refusal.MAX_EXPOSURE: {"max_exposure_percent": 0},
    Refusal.MAX_ORDERS_PER_MINUTE: {"max_orders_per_minute": 0},
    Refusal.MIN_NOTIONAL: {"min_order_notional": 10**20},
}


def refused(causes: list[Refusal]) -> list[Refusal]:
    """What a BUY is refused for when all these causes hold."""
    limits = {name: value for cause in causes for name, value in LIMITS.get(cause, {}).items()}
    account = Account(rules_with(**limits))
    account.btc(1_000)
    state = account.engine.state
    for cause in causes:
        for name, value in BLOCKS.get(cause, {}).items():
            setattr(state, name, value)
    if Refusal.COOLDOWN in causes:
        state.symbols[BTC].cooldown_until_ms = START_MS + 2 * HOUR_MS
    return refusals(account.btc(None if Refusal.STALE in causes else 1_000, said="BUY"))


# What only a live run refuses is shown in test_live_life.py.
ORDERED: list[Refusal] = [each for each in Refusal if each is not Refusal.UNRECONCILED]


@pytest.mark.parametrize("place", range(len(ORDERED)), ids=[each.value for each in ORDERED])
def test_refusal_is_the_first_cause_in_the_order_of_the_rulebook(place: int) -> None:
    causes = ORDERED[place:]
    assert refused(causes) == refused(causes[:1]) == [causes[0]]


def test_entry_that_opens_the_last_allowed_position_is_approved_and_the_next_refused() -> None:
    account = Account(rules_with((BTC, ETH, XRP), max_open_positions=2))
    said = account.hour({BTC: 100, ETH: 100, XRP: 100}, BTC="BUY", ETH="BUY", XRP="BUY")
    assert [each.order.symbol for each in of_kind(said, OrderIntended)] == [BTC, ETH]
    assert refusals(said) == [Refusal.MAX_OPEN_POSITIONS]


@pytest.mark.parametrize(("percent", "approved"), [(20 * PERCENT, 2), (20 * PERCENT - 1, 1)])
def test_exposure_of_exactly_the_limit_is_allowed(percent: int, approved: int) -> None:
    account = Account(rules_with((BTC, ETH), max_exposure_percent=percent))
    said = account.hour({BTC: 100, ETH: 100}, BTC="BUY", ETH="BUY")
    assert len(of_kind(said, OrderIntended)) == approved
    assert refusals(said) == [Refusal.MAX_EXPOSURE] * (2 - approved)


def test_entry_sent_exactly_a_minute_ago_counts_no_longer() -> None:
    account = Account(rules_with((BTC, ETH), timeframe_ms=THIRTY_SECONDS_MS, max_orders_per_minute=1))
    prices = {BTC: 100, ETH: 100}
    assert not refusals(account.hour(prices, BTC="BUY"))
    assert refusals(account.hour(prices, ETH="BUY")) == [Refusal.MAX_ORDERS_PER_MINUTE]
    assert of_kind(account.hour(prices, ETH="BUY"), OrderIntended)


@pytest.mark.parametrize(
    ("minimum", "stop", "refused_for"),
    [
        ("100", 0, []),
        ("100.00000001", 0, [Refusal.MIN_NOTIONAL]),
        ("95", 5, []),
        ("96", 5, [Refusal.MIN_NOTIONAL]),
    ],
)
def test_notional_under_the_minimum_at_sizing_or_stop_price_is_refused(
    minimum: str, stop: int, refused_for: list[Refusal]
) -> None:
    least = int(float(minimum) * 1e8 + 0.5)
    account = Account(rules_with(min_order_notional=least, stop_loss_percent=stop * PERCENT))
    assert refusals(account.btc(1_000, said="BUY")) == refused_for


@pytest.mark.parametrize(("gap", "hours_refused"), [(60, 0), (61, 2)])
def test_entry_after_a_long_hole_waits_for_the_longest_warmup(gap: int, hours_refused: int) -> None:
    seats = (Seat("cross", 1_000_000, warmup_candles=3), Seat("off", 1, enabled=False, warmup_candles=9))
    account = Account(rules_with(seats=seats))
    for price in [1_000, *[None] * gap]:
        account.btc(price)
    while refusals(account.btc(1_000, said="BUY")):
        pass
    assert (account.open_time_ms - START_MS) // HOUR_MS - gap - 1 == hours_refused


def test_buy_with_a_position_or_a_waiting_buy_changes_nothing() -> None:
    account = Account(rules_with())
    assert of_kind(account.btc(1_000, said="BUY"), OrderIntended)
    again = account.btc(1_000, said="BUY")
    assert isinstance(account.engine.state.symbols[BTC].position, Position)
    assert not of_kind(again, OrderIntended) and not refusals(again)
