"""The engine at an exchange: whatever goes wrong on the way, books and protection are right in the end."""

import os
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.accounts import BTC
from tests.trading.live_world import EXTERNAL, World, live_rules
from trading.decisions import Noticed, OutcomeDecided, Refusal, Refused, TradeClosed
from trading.events import ClosePosition, EngineResumed, ResetKill
from trading.journal import replay, restore, snapshot
from trading.orders import OrderKind, OrderState, Reason
from trading.rules import PERCENT
from trading.signals import Side

EXAMPLES = int(os.environ.get("AUTOTRADER_TEST_LIVES", "60"))
ACTS = (
    "buy",
    "sell",
    "hold",
    "up",
    "down",
    "crash",
    "wait",
    "cancelled",
    "resume",
    "close",
    "dry",
    "restart",
)


def bought() -> World:
    """A world with a position whose stop stands."""
    world = World()
    world.pass_time(1_000)
    world.candle(Side.BUY)
    world.pass_time(1_000)
    assert world.engine.state.symbols[BTC].position is not None
    return world


def test_an_entry_is_followed_by_its_stop_for_what_is_held() -> None:
    world = bought()
    position = world.engine.state.symbols[BTC].position
    assert position is not None and position.amount < position.bought, "the fee was taken in base"
    (stop,) = world.open_stops()
    assert stop.trigger == Decimal("57000.00") and stop.amount == Decimal("0.01663")
    world.check()


def test_a_signals_exit_cancels_the_stop_first_and_leaves_dust() -> None:
    world = bought()
    world.candle(Side.SELL)
    world.pass_time(2_000)
    world.check()
    (trade,) = [each.trade for each in world.decisions if isinstance(each, TradeClosed)]
    assert trade.exit_reason is Reason.SIGNAL
    live = world.engine.state.symbols[BTC].live
    assert live is not None and live.dust is not None and live.dust.amount > 0


def test_a_stop_that_the_owner_cancels_is_placed_again() -> None:
    world = bought()
    world.owner_cancels()
    world.pass_time(1_000)
    world.check()
    assert len([each for each in world.sent.values() if each.kind is OrderKind.STOP]) == 2


def test_a_gap_through_the_stop_is_sold_at_market_after_3_seconds() -> None:
    world = bought()
    world.liquid = False
    world.move(54_000)
    world.pass_time(2_500)
    assert world.engine.state.symbols[BTC].position is not None
    world.liquid = True
    world.pass_time(2_000)
    assert world.engine.state.symbols[BTC].position is None
    world.check()


def test_a_stop_that_is_always_refused_ends_the_position() -> None:
    world = World()
    world.pass_time(1_000)
    world.candle(Side.BUY)
    world.faults = 0.0
    for _ in range(20):
        for sent in list(world.sent.values()):
            if sent.kind is OrderKind.STOP and sent.state is OrderState.OPEN:
                sent.state, sent.why = OrderState.REFUSED, "not today"
        world.pass_time(500)
    assert world.engine.state.symbols[BTC].position is None
    assert world.longest_bare_ms <= 5_000
    assert any(isinstance(each, Noticed) and each.code == "unprotected" for each in world.decisions)


def test_the_kill_switch_ends_verified_by_the_exchange_and_is_reset() -> None:
    world = bought()
    world.kill()
    verified = [world.engine.state.verified_flat]
    world.pass_time(3_000)
    verified.append(world.engine.state.verified_flat)
    assert verified == [False, True]
    world.check()
    world.handle(ResetKill(request_id="r", by="test", time_ms=world.now_ms, why="test"))
    assert world.engine.state.killed == ""


def test_what_the_owner_pays_in_is_external_and_what_he_takes_is_no_loss() -> None:
    world = bought()
    world.balances["USDT"] += 700
    world.pass_time(2_000)
    books = world.engine.state.books
    assert books is not None and books.external is not None
    assert books.external["USDT"] == EXTERNAL["USDT"] + 700
    world.balances["USDT"] -= EXTERNAL["USDT"] + 700 + 1_000
    world.pass_time(2_000)
    state = world.engine.state
    assert books.external["USDT"] == 0
    assert state.reference == 9_000 * 10**state.rules.quote_decimals
    assert not state.killed and not state.day_blocked


def test_what_the_owner_sells_of_ours_leaves_the_ledger_and_blocks_buying() -> None:
    world = bought()
    world.owner_cancels()
    world.balances["BTC"] -= Decimal(3) + Decimal("0.006")
    world.least_base = Decimal(0)
    world.pass_time(5_000)
    symbol = world.engine.state.symbols[BTC]
    assert symbol.live is not None and "by hand" in symbol.live.blocked
    (stop,) = world.open_stops()
    assert stop.amount == Decimal("0.01063")
    world.handle(ClosePosition(request_id="c", by="test", time_ms=world.now_ms, symbol=BTC))
    world.pass_time(2_000)
    (decided,) = [each for each in world.candle(Side.BUY) if isinstance(each, OutcomeDecided)]
    assert isinstance(decided.verdict, Refused) and decided.verdict.reason is Refusal.UNRECONCILED


def test_a_jump_is_believed_at_the_second_look() -> None:
    world = bought()
    ticks = world.ticks(Decimal(60_000))
    world.price = Decimal(600)
    world.pass_time(500)
    assert world.engine.state.symbols[BTC].live.price == ticks  # type: ignore[union-attr]
    assert world.engine.state.symbols[BTC].position is not None
    world.price = Decimal(60_000)
    world.pass_time(1_000)
    world.check()
    world.move(40_000)
    world.pass_time(1_000)
    assert world.engine.state.symbols[BTC].live.price == world.ticks(Decimal(60_000))  # type: ignore[union-attr]
    world.pass_time(500)
    assert world.engine.state.symbols[BTC].live.price == world.ticks(Decimal(40_000))  # type: ignore[union-attr]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(ACTS), min_size=5, max_size=60), st.booleans())
def test_any_life_ends_with_books_and_protection_right(seed: int, acts: list[str], trailing: bool) -> None:
    world = World(seed, 0.15, live_rules(trailing_stop_percent=4 * PERCENT if trailing else 0))
    for act in acts:
        step(world, act)
        world.pass_time(world.chance.choice((500, 1_000, 3_000)))
    world.faults, world.liquid = 0.0, True
    world.pass_time(30_000)
    world.check()
    again = replay(None, world.entries)
    assert snapshot(again.state) == snapshot(world.engine.state)
    world.kill()
    world.pass_time(20_000)
    world.check()
    assert world.engine.state.verified_flat and world.engine.state.symbols[BTC].position is None


def step(world: World, act: str) -> None:
    """One thing that happens."""
    if act in ("buy", "sell", "hold"):
        world.candle(Side[act.upper()])
    elif act == "cancelled":
        world.owner_cancels()
    elif act == "resume":
        world.handle(EngineResumed(world.now_ms))
    elif act == "restart":
        world.engine = restore(snapshot(world.engine.state))
    elif act == "dry":
        world.liquid = not world.liquid
    elif act == "close" and world.engine.state.symbols[BTC].position is not None:
        world.handle(
            ClosePosition(request_id=f"c{world.now_ms}", by="test", time_ms=world.now_ms, symbol=BTC)
        )
    else:
        factor = {"up": "1.02", "down": "0.98", "crash": "0.85"}.get(act, "1")
        world.move((world.price * Decimal(factor)).quantize(Decimal("0.01")))


@pytest.mark.parametrize("seed", range(3))
def test_the_same_life_gives_the_same_bytes(seed: int) -> None:
    lives = []
    for _ in range(2):
        world = World(seed, 0.3)
        for act in ACTS * 2:
            step(world, act)
            world.pass_time(1_000)
        lives.append(snapshot(world.engine.state))
    assert lives[0] == lives[1]
