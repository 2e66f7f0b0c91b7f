"""What is shown of a live run: orders as they change, marks, protection, books and the kill switch."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from actors.persistence.units import Units
from autotrader.v1 import engine_pb2, event_pb2, portfolio_pb2
from control.read_model.events import Teller
from control.read_model.views import account_message, position_messages, symbol_messages
from control.rows import ORDER_STATES, timestamp
from tests.trading.accounts import BTC
from tests.trading.live_world import EXTERNAL, World, live_rules
from tests.trading.test_live_life import ACTS, bought, step
from trading.engine import Engine
from trading.events import Price, PricesSeen
from trading.journal import Entry
from trading.orders import OrderKind, OrderState
from trading.signals import Side


def status_of(world: World) -> engine_pb2.EngineStatus:
    return account_message(world.engine.state, Units(world.rules))


def symbol_of(world: World) -> engine_pb2.SymbolStatus:
    (found,) = symbol_messages(world.engine.state, Units(world.rules), {})
    return found


def position_of(world: World) -> portfolio_pb2.Position:
    (found,) = position_messages(world.engine.state, Units(world.rules))
    return found


def told(entries: Iterable[Entry], teller: Teller) -> list[portfolio_pb2.Order]:
    """The orders that a listener hears of."""
    found = [event for entry in entries for event in teller.events(entry)]
    return [event.order for topic, _, event in found if topic == event_pb2.TOPIC_ORDERS]


def teller_of(world: World) -> Teller:
    return Teller(Engine.start(world.entries[0].event).state)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_a_listener_ends_with_every_order_as_the_exchange_has_it(seed: int) -> None:
    world = World(seed, 0.2)
    for act in ACTS * 2:
        step(world, act)
        world.pass_time(1_000)
    world.faults, world.liquid = 0.0, True
    world.pass_time(20_000)
    newest = {order.id: order for order in told(world.entries[1:], teller_of(world))}
    assert set(newest) == set(world.sent)
    for order_id, sent in world.sent.items():
        order = newest[order_id]
        assert order.state == ORDER_STATES[sent.state.value]
        assert Decimal(order.filled_base or 0) == sent.filled
        assert [Decimal(fill.amount_base) for fill in order.fills] == [e.amount for e in sent.executions]
        assert bool(order.ended_why) == (sent.state not in (OrderState.OPEN, OrderState.FILLED))


def test_an_order_at_the_exchange_is_told_open_partly_filled_and_filled() -> None:
    world = bought()
    (sent,) = world.open_stops()
    world._fill(sent, Decimal("0.006"))
    world.report()
    world._fill(sent, sent.amount - sent.filled)
    world.report()
    stops = [order for order in told(world.entries[1:], teller_of(world)) if order.kind == "stop"]
    assert [portfolio_pb2.OrderState.Name(stop.state).removeprefix("ORDER_STATE_") for stop in stops] == [
        "OPEN",
        "OPEN",
        "PARTLY_FILLED",
        "FILLED",
    ]
    assert [(stop.exchange_order_id, stop.filled_base) for stop in stops[1:]] == [
        ("x1", ""),
        ("x1", "0.006"),
        ("x1", "0.01663"),
    ]
    assert (stops[0].trigger_quote, stops[0].limit_quote) == ("57000", "55290")
    assert [len(stop.fills) for stop in stops] == [0, 0, 1, 2]
    assert (stops[-1].fills[0].fee_currency, stops[-1].fills[0].fee_paid) == ("USDT", "0.36")


def test_a_teller_that_begins_in_the_middle_tells_the_stop_that_stands() -> None:
    world = bought()
    teller, seen = Teller(world.engine.state), len(world.entries)
    world.owner_cancels()
    world.report()
    first = told(world.entries[seen:], teller)[0]
    assert (first.kind, first.state) == ("stop", portfolio_pb2.ORDER_STATE_CANCELLED)


def test_equity_and_profit_follow_the_price_between_candles() -> None:
    world = bought()
    before = Decimal(status_of(world).equity_quote)
    world.move(61_000)
    world.pass_time(1_000)
    position, status = position_of(world), status_of(world)
    held = Decimal("0.01663335")
    assert Decimal(status.equity_quote) - before == held * 1_000
    assert (position.last_price_quote, symbol_of(world).last_price_quote) == ("61000", "61000")
    assert Decimal(position.notional_quote) == held * 61_000
    assert Decimal(position.unrealized_profit_quote) == held * 1_000
    assert symbol_of(world).priced_at == timestamp(world.now_ms)


def test_steps_are_the_markets_and_not_what_is_counted_in() -> None:
    symbol = symbol_of(World())
    assert (symbol.tick_quote, symbol.lot_base) == ("0.01", "0.00001")


def test_a_stop_at_the_exchange_protects_until_it_is_gone() -> None:
    world = bought()
    position = position_of(world)
    assert position.protection == portfolio_pb2.PROTECTION_EXCHANGE
    assert position.stop_order_id == world.open_stops()[0].order_id
    assert position.stop_quote == "57000"
    world.liquid = False
    world.owner_cancels()
    world.report()
    position = position_of(world)
    assert position.protection == portfolio_pb2.PROTECTION_MISSING
    assert position.unprotected_since == timestamp(world.now_ms)


def test_on_paper_the_engine_protects() -> None:
    world = World(rules=live_rules(on_exchange=False))
    assert (status_of(world).unreconciled, list(status_of(world).external)) == ("", [])
    live = bought()
    position = live.engine.state.symbols[BTC].position
    world.engine.state.symbols[BTC].position = position
    assert position_of(world).protection == portfolio_pb2.PROTECTION_ENGINE
    assert position is not None
    position.stop = 0
    assert position_of(world).protection == portfolio_pb2.PROTECTION_NONE


def test_a_partly_sold_position_earns_on_what_is_left() -> None:
    world = bought()
    (sent,) = world.open_stops()
    world._fill(sent, Decimal("0.006"))
    world.report()
    world.engine.handle(PricesSeen(world.now_ms, (Price(BTC, world.ticks(Decimal(61_000)), 0),)))
    position = position_of(world)
    assert (position.sold_base, position.amount_base) == ("0.006", "0.01063335")
    assert abs(Decimal(position.unrealized_profit_quote) - Decimal("10.63335")) < Decimal("0.00000001")


def test_books_that_are_not_reconciled_say_why_and_what_is_external() -> None:
    world = World()
    assert "compared" in status_of(world).unreconciled
    world.pass_time(1_000)
    status = status_of(world)
    assert status.unreconciled == ""
    assert {each.currency: Decimal(each.amount) for each in status.external} == EXTERNAL


def test_a_blocked_symbol_says_why() -> None:
    world = bought()
    world.owner_cancels()
    world.balances["BTC"] -= Decimal(3) + Decimal("0.006")
    world.pass_time(5_000)
    assert "by hand" in symbol_of(world).blocked


def test_a_price_that_jumped_is_shown_as_suspect() -> None:
    world = bought()
    world.price = Decimal(600)
    world.pass_time(500)
    assert (symbol_of(world).suspect_price_quote, symbol_of(world).last_price_quote) == ("600", "60000")


def test_the_kill_switch_says_what_is_left_until_the_exchange_says_flat() -> None:
    world = bought()
    assert list(status_of(world).kill_steps) == []
    world.kill()
    (stop,) = [each for each in world.sent.values() if each.kind is OrderKind.STOP]
    assert list(status_of(world).kill_steps) == [
        f"BTC/USDT: order {stop.order_id} is being cancelled",
        "BTC/USDT: 0.01663335 will be sold",
    ]
    world._finish_cancels()
    world.report()
    world.pass_time(3_000)
    assert world.engine.state.verified_flat
    assert list(status_of(world).kill_steps) == []


def test_flat_but_not_verified_the_exchange_is_asked() -> None:
    world = World()
    world.kill()
    assert list(status_of(world).kill_steps) == ["the exchange is asked whether anything of ours is left"]


def test_dust_is_shown_with_its_symbol() -> None:
    world = bought()
    world.candle(Side.SELL)
    world.pass_time(2_000)
    assert symbol_of(world).dust_base == "0.00000335"
