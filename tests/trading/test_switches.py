"""The day's loss limit and the kill switch (rulebook 6), to the last unit."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.trading.accounts import BTC, ETH, HOUR_MS, START_MS, Account, of_kind, refusals, rules_with
from trading.decisions import AnyDecision, DayClosed, Level, Noticed, OrderIntended, Refusal
from trading.rules import PERCENT, WHOLE
from trading.timeframe import DAY_MS


def notices(decisions: Iterable[AnyDecision], level: Level) -> list[str]:
    return [each.code for each in of_kind(decisions, Noticed) if each.level is level]


def holding(first_open_ms: int = START_MS, **limits: Any) -> Account:
    """All of the capital in BTC at 1000 ticks."""
    account = Account(rules_with(position_size_percent=WHOLE, **limits), first_open_ms)
    account.btc(1_000, said="BUY")
    account.btc(1_000)
    assert account.engine.state.cash == 0
    return account


@pytest.mark.parametrize(("price", "thrown"), [(501, False), (500, True)])
def test_kill_switch_is_thrown_at_exactly_its_loss(price: int, thrown: bool) -> None:
    account = holding(kill_switch_percent=50 * PERCENT)
    decisions = account.btc(price)
    assert bool(account.engine.state.killed) == thrown
    assert notices(decisions, Level.ALARM) == (["kill_switch"] if thrown else [])
    assert len(of_kind(decisions, OrderIntended)) == thrown


@pytest.mark.parametrize(("price", "thrown"), [(1_801, False), (1_800, True)])
def test_drawdown_limit_is_measured_from_the_highest_close(price: int, thrown: bool) -> None:
    account = holding(max_drawdown_percent=10 * PERCENT)
    account.btc(2_000)
    account.btc(price)
    assert bool(account.engine.state.killed) == thrown


@pytest.mark.parametrize(("price", "blocked"), [(851, False), (850, True)])
def test_day_of_exactly_the_loss_limit_blocks_entries_but_not_exits(price: int, blocked: bool) -> None:
    account = holding(daily_loss_limit_percent=15 * PERCENT)
    decisions = account.btc(price, said="SELL")
    assert account.engine.state.day_blocked == blocked
    assert notices(decisions, Level.ALARM) == (["daily_loss"] if blocked else [])
    assert of_kind(decisions, OrderIntended)
    assert refusals(account.btc(price, said="BUY")) == ([Refusal.DAILY_LOSS] if blocked else [])


def test_profit_never_blocks_the_day() -> None:
    account = holding(daily_loss_limit_percent=PERCENT)
    account.btc(10_000)
    account.btc(2_000)
    assert not account.engine.state.day_blocked


def test_close_at_midnight_ends_the_day_and_lifts_its_block() -> None:
    account = holding(START_MS + 20 * HOUR_MS, daily_loss_limit_percent=15 * PERCENT)
    account.btc(800)
    assert account.engine.state.day_blocked
    decisions = account.btc(700)
    (ended,) = of_kind(decisions, DayClosed)
    assert ended.close_ms == START_MS + DAY_MS
    assert (ended.base, ended.equity) == (1_000 * 10**8, 700 * 10**8)
    state = account.engine.state
    assert (state.day_base, state.day_blocked, state.day_end_ms) == (
        ended.equity,
        False,
        START_MS + 2 * DAY_MS,
    )


def test_hole_over_midnight_rolls_the_day_once_at_the_first_close_after() -> None:
    account = holding(START_MS + 20 * HOUR_MS)
    account.open_time_ms += 50 * HOUR_MS
    (ended,) = of_kind(account.btc(900), DayClosed)
    assert ended.close_ms == START_MS + 3 * DAY_MS + HOUR_MS
    assert account.engine.state.day_end_ms == START_MS + 4 * DAY_MS
    assert not of_kind(account.btc(900), DayClosed)


def test_loss_of_eighty_percent_of_a_limit_warns_once() -> None:
    account = holding(kill_switch_percent=50 * PERCENT)
    assert notices(account.btc(601), Level.WARNING) == []
    assert notices(account.btc(600), Level.WARNING) == ["kill_switch"]
    assert notices(account.btc(599), Level.WARNING) == []


def test_warning_of_the_days_loss_comes_again_on_the_next_day() -> None:
    account = holding(START_MS + 20 * HOUR_MS, daily_loss_limit_percent=10 * PERCENT)
    assert notices(account.btc(920), Level.WARNING) == ["daily_loss"]
    assert notices(account.btc(920), Level.WARNING) == []
    assert notices(account.btc(840), Level.WARNING) == ["daily_loss"]


def test_room_for_eighty_percent_of_the_positions_warns_once() -> None:
    account = Account(rules_with((BTC, ETH), max_open_positions=2, max_exposure_percent=20 * PERCENT))
    assert notices(account.hour({BTC: 100, ETH: 100}, BTC="BUY"), Level.WARNING) == []
    found = notices(account.hour({BTC: 100, ETH: 100}, ETH="BUY"), Level.WARNING)
    assert found == ["max_open_positions", "max_exposure"]


def test_killed_account_sells_at_the_next_open_and_is_then_verified_flat() -> None:
    account = holding()
    account.kill()
    before = account.engine.state.verified_flat
    decisions = account.btc(1_000, said="BUY")
    assert account.engine.state.flat()
    assert (before, account.engine.state.verified_flat) == (False, True)
    assert notices(decisions, Level.ALARM) == ["kill_switch"]
    assert refusals(decisions) == [Refusal.KILLED]


def test_kill_with_only_a_waiting_buy_leaves_the_account_verified_flat() -> None:
    account = Account(rules_with())
    account.btc(1_000, said="BUY")
    account.kill()
    assert account.engine.state.flat() and account.engine.state.verified_flat
