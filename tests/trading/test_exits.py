"""Exits: one waiting exit a symbol, its reason the first of kill switch, close all, signal."""

import itertools

import pytest

from tests.trading.accounts import BTC, ETH, Account, of_kind, rules_with
from trading.decisions import OrderEnded, OrderIntended, OrderReasonRaised, TradeClosed
from trading.exits import exit_position, flatten
from trading.orders import OrderState, Reason

EXITS = (Reason.KILL_SWITCH, Reason.CLOSE_ALL, Reason.STOP, Reason.SIGNAL)


def holding() -> Account:
    account = Account(rules_with((BTC, ETH)))
    account.hour({BTC: 1_000, ETH: 1_000}, BTC="BUY")
    account.hour({BTC: 1_000, ETH: 1_000})
    return account


@pytest.mark.parametrize(("first", "second"), list(itertools.product(EXITS, EXITS)))
def test_waiting_exit_keeps_the_reason_of_the_highest_precedence(first: Reason, second: Reason) -> None:
    state = holding().engine.state
    symbol = state.symbols[BTC]
    order, decided = exit_position(state, symbol, first)
    assert decided == [OrderIntended(order)]
    again, raised = exit_position(state, symbol, second)
    assert again.id == order.id and again is symbol.exit
    assert again.reason is min(first, second, key=EXITS.index)
    assert raised == ([OrderReasonRaised(again)] if EXITS.index(second) < EXITS.index(first) else [])


def test_exit_without_a_position_is_a_bug() -> None:
    state = holding().engine.state
    with pytest.raises(ValueError, match="ETH/USDT has no position"):
        exit_position(state, state.symbols[ETH], Reason.SIGNAL)


def test_flatten_cancels_waiting_entries_and_sells_every_position() -> None:
    account = holding()
    account.hour({BTC: 1_000, ETH: 1_000}, ETH="BUY")
    state = account.engine.state
    ended, intended = flatten(state, Reason.CLOSE_ALL)[::-1]
    assert isinstance(ended, OrderEnded) and isinstance(intended, OrderIntended)
    assert (ended.ending.symbol, ended.ending.state) == (ETH, OrderState.CANCELLED)
    assert (intended.order.symbol, intended.order.reason) == (BTC, Reason.CLOSE_ALL)
    assert state.symbols[ETH].entry is None


def test_exit_goes_on_while_paused_killed_and_in_loss() -> None:
    account = holding()
    account.pause()
    account.engine.state.day_blocked = True
    assert of_kind(account.hour({BTC: 1_000, ETH: 1_000}, BTC="SELL"), OrderIntended)
    account.kill()
    (closed,) = of_kind(account.hour({BTC: 1_000, ETH: 1_000}), TradeClosed)
    assert closed.trade.exit_reason is Reason.KILL_SWITCH


def test_sell_without_a_position_changes_nothing() -> None:
    account = Account(rules_with())
    assert not of_kind(account.btc(1_000, said="SELL"), OrderIntended)
    account.btc(1_000, said="BUY")
    waiting = account.engine.state.symbols[BTC].entry
    assert waiting is not None
    assert not of_kind(account.btc(None, said="SELL"), OrderIntended)
    assert account.engine.state.flat()  # the filled candle cancelled the waiting buy
