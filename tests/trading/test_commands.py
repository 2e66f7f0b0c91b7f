"""Commands: each done once a request id; one that cannot be done is refused and changes nothing."""

from copy import copy
from typing import Any

import pytest
from msgspec.structs import replace

from tests.trading.accounts import BTC, ETH, Account, fill, of_kind, refusals, rules_with, units_of
from trading.commands import COMMANDS
from trading.decisions import Noticed, OrderIntended, Refusal, TradeClosed
from trading.engine import REQUESTS_KEPT
from trading.errors import InputError
from trading.events import (
    AddStrategy,
    ChangeLimits,
    ChangeRules,
    ChangeStrategy,
    CloseAll,
    ClosePosition,
    Kill,
    Pause,
    RemoveStrategy,
    ResetKill,
    Resume,
    VenueReported,
)
from trading.journal import snapshot
from trading.orders import Reason
from trading.rules import PERCENT, Seat
from trading.signals import Side

RULES = rules_with((BTC, ETH))
WHEN: dict[Any, dict[str, Any]] = {
    Pause: {},
    Resume: {},
    CloseAll: {},
    ClosePosition: {"symbol": BTC},
    Kill: {},
    ResetKill: {"why": "looked at it"},
    ChangeLimits: {"limits": replace(RULES.limits, max_open_positions=1)},
    ChangeRules: {"rules": replace(RULES, vote=replace(RULES.vote, quorum=0))},
    AddStrategy: {"seat": Seat("second", 1)},
    RemoveStrategy: {"name": "cross"},
    ChangeStrategy: {"name": "cross", "weight": 7},
}
PRICES = {BTC: 1_000, ETH: 1_000}


def holding() -> Account:
    """A position in BTC and a waiting buy in ETH."""
    account = Account(RULES)
    account.hour(PRICES, BTC="BUY")
    account.hour(PRICES, ETH="BUY")
    return account


def killed() -> Account:
    account = holding()
    account.kill()
    account.hour(PRICES)
    return account


def known(account: Account) -> bytes:
    """All that the engine knows but for how many events it has handled."""
    state = copy(account.engine.state)
    state.sequence = 0
    return snapshot(state)


def test_every_command_is_tried_here() -> None:
    assert set(WHEN) == set(COMMANDS)


@pytest.mark.parametrize("kind", WHEN, ids=lambda kind: kind.__name__)
def test_command_of_the_same_request_is_done_once(kind: Any) -> None:
    account = killed() if kind is ResetKill else holding()
    (notice, *_) = account.command(kind, "one", **WHEN[kind])
    assert isinstance(notice, Noticed) and "(by ann)" in notice.text
    sequence, after = account.engine.state.sequence, known(account)
    assert account.command(kind, "one", **WHEN[kind]) == []
    assert account.engine.state.sequence == sequence + 1
    assert known(account) == after


def test_request_of_another_command_is_refused() -> None:
    account = holding()
    account.command(Pause, "one")
    before = snapshot(account.engine.state)
    with pytest.raises(InputError, match="request_id: 'one' was used for another command"):
        account.command(Resume, "one")
    assert snapshot(account.engine.state) == before


@pytest.mark.parametrize(
    ("account", "kind", "facts", "said"),
    [
        (holding, ClosePosition, {"symbol": "BTC/USD"}, "symbol: 'BTC/USD' is not traded; did you mean"),
        (
            lambda: Account(RULES),
            ClosePosition,
            {"symbol": BTC},
            "has neither a position nor a waiting order",
        ),
        (holding, ResetKill, {"why": "x"}, "not thrown"),
        (killed, ResetKill, {"why": "  "}, "why: "),
        (holding, ChangeRules, {"rules": rules_with((BTC, ETH), capital="5")}, "initial_capital: "),
        (holding, ChangeRules, {"rules": rules_with((BTC,))}, "markets: "),
        (holding, ChangeRules, {"rules": replace(RULES, markets=(units_of("2"),))}, "markets: "),
        (holding, ChangeRules, {"rules": rules_with((BTC, ETH), timeframe_ms=60_000)}, "timeframe_ms: "),
        (holding, AddStrategy, {"seat": Seat("cross", 1)}, "'cross' exists already"),
        (holding, AddStrategy, {"seat": Seat("new", -500_000)}, "weight: -0.5 is negative"),
        (holding, RemoveStrategy, {"name": "cros"}, "did you mean 'cross'?"),
        (holding, ChangeStrategy, {"name": "zzz", "weight": 1}, "no strategy 'zzz'"),
        (holding, ChangeStrategy, {"name": "cross", "weight": -1_000_000}, "weight: -1 is negative"),
    ],
)
def test_command_that_cannot_be_done_is_refused_and_changes_nothing(
    account: Any, kind: Any, facts: dict[str, Any], said: str
) -> None:
    made = account()
    before = snapshot(made.engine.state)
    with pytest.raises(InputError) as caught:
        made.command(kind, "one", **facts)
    assert said in str(caught.value)
    assert snapshot(made.engine.state) == before


def test_reset_while_a_position_is_held_is_refused() -> None:
    account = holding()
    account.kill()
    with pytest.raises(InputError, match="still selling"):
        account.command(ResetKill, why="hurry")


def test_reset_before_the_next_mark_takes_the_cash_of_the_sale() -> None:
    account = holding()
    account.kill()
    sale = fill(Side.SELL, 100, 500)
    account.handle(VenueReported(account.open_time_ms, (sale,)))
    account.command(ResetKill, why="looked at it")
    state = account.engine.state
    assert state.reference == state.peak == state.cash == 950 * 10**8


def test_reset_when_flat_takes_the_equity_as_reference_and_peak() -> None:
    account = holding()
    account.hour({BTC: 900, ETH: 900})
    account.kill()
    account.hour({BTC: 800, ETH: 800})
    account.command(ResetKill, why="looked at it")
    state = account.engine.state
    assert state.reference == state.peak == state.cash == state.equity < RULES.initial_capital
    assert not refusals(account.hour({BTC: 800, ETH: 800}, BTC="BUY"))


def test_kill_thrown_twice_keeps_its_first_reason() -> None:
    account = Account(RULES)
    account.command(Kill, why="first")
    assert account.command(Kill, why="second") == []
    assert account.engine.state.killed == "first (by ann)"


def test_pause_refuses_entries_until_resumed() -> None:
    account = Account(RULES)
    account.pause()
    assert refusals(account.hour(PRICES, BTC="BUY")) == [Refusal.PAUSED]
    account.command(Resume)
    assert of_kind(account.hour(PRICES, BTC="BUY"), OrderIntended)


@pytest.mark.parametrize(("kind", "reason"), [(CloseAll, Reason.CLOSE_ALL), (Kill, Reason.KILL_SWITCH)])
def test_close_all_and_kill_cancel_entries_and_sell_positions(kind: Any, reason: Reason) -> None:
    account = holding()
    account.command(kind)
    assert account.engine.state.symbols[ETH].entry is None
    (closed,) = of_kind(account.hour(PRICES), TradeClosed)
    assert (closed.trade.symbol, closed.trade.exit_reason) == (BTC, reason)


def test_close_position_leaves_the_other_symbols_alone() -> None:
    account = holding()
    account.command(ClosePosition, symbol=ETH)
    assert account.engine.state.symbols[ETH].entry is None
    assert account.engine.state.symbols[BTC].exit is None


def test_changed_seats_vote_from_the_next_close() -> None:
    account = Account(RULES)
    account.command(ChangeStrategy, name="cross", enabled=False)
    assert not of_kind(account.hour(PRICES, BTC="BUY"), OrderIntended)
    account.command(ChangeStrategy, name="cross", enabled=True)
    account.command(AddStrategy, seat=Seat("silent", 2 * PERCENT))
    assert not of_kind(account.hour(PRICES, BTC="BUY"), OrderIntended)
    account.command(RemoveStrategy, name="silent")
    assert of_kind(account.hour(PRICES, BTC="BUY"), OrderIntended)


def test_removed_strategy_takes_its_signals_along() -> None:
    account = holding()
    account.command(RemoveStrategy, name="cross")
    assert all(not symbol.signals for symbol in account.engine.state.symbols.values())


def test_requests_remembered_by_the_engine_are_bounded() -> None:
    account = holding()
    for number in range(REQUESTS_KEPT + 5):
        account.command(Pause, f"request-{number}")
    requests = account.engine.state.requests
    assert len(requests) == REQUESTS_KEPT
    assert "request-4" not in requests and "request-5" in requests
