"""The limits as an operator sees them."""

from decimal import Decimal

import pytest

from control.limits import NEITHER, ZERO_IS_OFF, is_looser, limit_messages
from tests.trading.accounts import BTC, ETH, Account, rules_with
from trading.settings import RiskSettings


def shown(account: Account, risk: RiskSettings | None = None) -> dict[str, tuple[str, float | None]]:
    """Use and percentage by name."""
    messages = limit_messages(risk or RiskSettings(), (), account.engine.state)
    return {
        each.name: (each.used, each.used_percent if each.HasField("used_percent") else None)
        for each in messages
    }


def test_every_limit_is_shown_with_its_meaning() -> None:
    messages = list(
        limit_messages(RiskSettings(), {"risk.stop_loss_percent"}, Account(rules_with((BTC,))).engine.state)
    )
    assert [each.name for each in messages] == list(RiskSettings.model_fields)
    assert all(each.summary for each in messages)
    assert [each.name for each in messages if each.changed] == ["stop_loss_percent"]


def test_use_follows_the_account() -> None:
    account = Account(rules_with((BTC, ETH)))
    before = shown(account)
    assert before["max_open_positions"] == ("0", 0.0)
    account.hour({BTC: 1_000, ETH: 1_000}, BTC="BUY")
    account.hour({BTC: 1_000, ETH: 1_000})
    state = account.engine.state
    (position,) = state.positions()
    market = state.rules.markets[0]
    worth = Decimal(market.notional(1_000, position.amount) * 100) / state.equity
    used, percent = shown(account)["max_exposure_percent"]
    assert abs(Decimal(used) - worth) < Decimal("0.000001")
    assert percent == pytest.approx(float(worth))
    assert shown(account)["max_open_positions"] == ("1", 20.0)
    assert shown(account)["max_orders_per_minute"] == ("0", 0.0)


def test_limit_that_is_off_has_no_use() -> None:
    account = Account(rules_with((BTC,)))
    (drawdown,) = (
        each
        for each in limit_messages(RiskSettings(), (), account.engine.state)
        if each.name == "max_drawdown_percent"
    )
    assert drawdown.off and not drawdown.used and not drawdown.HasField("used_percent")


@pytest.mark.parametrize(
    ("name", "before", "after", "looser"),
    [
        ("daily_loss_limit_percent", 15, 16, True),
        ("daily_loss_limit_percent", 15, 14, False),
        ("stop_loss_percent", 5, 0, True),
        ("stop_loss_percent", 0, 5, False),
        ("stop_loss_percent", 5, 4, False),
        ("max_drawdown_percent", 20, 0, True),
        ("cooldown_candles_after_stop", 3, 2, True),
        ("cooldown_candles_after_stop", 3, 4, False),
        ("take_profit_percent", 3, 9, False),
        ("stale_after_seconds", 70, None, True),
        ("stale_after_seconds", None, 70, True),
        ("max_open_positions", 5, 5, False),
    ],
)
def test_a_change_that_lets_more_through_is_looser(
    name: str, before: int | None, after: int | None, looser: bool
) -> None:
    assert is_looser(name, before, after) is looser


def test_names_of_limits_are_those_of_the_settings() -> None:
    assert {*ZERO_IS_OFF, *NEITHER} <= set(RiskSettings.model_fields)
