"""The engine at an exchange, where rare things meet: what must not stay stuck, bare, or booked wrongly."""

from decimal import Decimal

from msgspec.structs import replace

from tests.trading.accounts import BTC
from tests.trading.live_world import EXTERNAL, World, live_rules
from trading.decisions import Noticed, OutcomeDecided, Refusal, Refused, TradeClosed
from trading.desk import due_ms
from trading.events import (
    ChangeRules,
    MarketsChanged,
    OrderReported,
    Price,
    PricesSeen,
)
from trading.exchange_orders import Execution, Quote
from trading.exchange_units import fill_of, prices_of
from trading.ledger import Position, add_bought
from trading.live_state import Books, LiveSymbol
from trading.orders import Fill, OrderState, Reason
from trading.rules import PERCENT, Rules
from trading.signals import Side
from trading.state import SymbolState

HOUR_MS = 3_600_000


def bought(rules: Rules | None = None) -> World:
    """A world with a position whose stop stands."""
    world = World(rules=rules or live_rules())
    world.pass_time(1_000)
    world.candle(Side.BUY)
    world.pass_time(1_000)
    world.check()
    return world


def symbol_of(world: World) -> SymbolState:
    return world.engine.state.symbols[BTC]


def live_of(world: World) -> LiveSymbol:
    live = symbol_of(world).live
    assert live is not None
    return live


def books_of(world: World) -> Books:
    books = world.engine.state.books
    assert books is not None
    return books


def held(world: World) -> Position:
    position = symbol_of(world).position
    assert position is not None
    return position


def refuse_the_stop(world: World) -> None:
    """The exchange refuses the stop that was sent last."""
    for sent in world.open_stops():
        sent.state, sent.why = OrderState.REFUSED, "not now"
    world.report()


def sale(world: World, amount: int, **facts: object) -> Fill:
    return (
        Fill(
            "BTC/USDT:late",
            "stop",
            BTC,
            Side.SELL,
            amount,
            world.ticks(world.price),
            0,
            world.now_ms,
            Reason.STOP,
        )
        if not facts
        else replace(sale(world, amount), **facts)
    )


# The rules of the exchange.


def test_settings_at_a_restart_after_the_exchange_changed_its_filters_are_taken() -> None:
    world = bought()
    (market,) = world.rules.markets
    world.handle(MarketsChanged(world.now_ms, (replace(market, min_notional=2 * market.min_notional),)))
    settings = replace(world.rules, limits=replace(world.rules.limits, stop_loss_percent=4 * PERCENT))
    world.handle(ChangeRules(request_id="s", by="settings", time_ms=world.now_ms, rules=settings))
    rules = world.engine.state.rules
    assert rules.limits.stop_loss_percent == 4 * PERCENT
    assert rules.markets[0].min_notional == 2 * market.min_notional


def test_an_entry_whose_stop_would_be_under_the_minimum_is_refused() -> None:
    world = World(rules=live_rules(position_size_percent=108_000), price=Decimal(600))  # 10.80 of 10,000
    world.pass_time(1_000)
    (decided,) = [each for each in world.candle(Side.BUY) if isinstance(each, OutcomeDecided)]
    assert isinstance(decided.verdict, Refused) and decided.verdict.reason is Refusal.MIN_NOTIONAL


def test_quotes_between_two_ticks_are_rounded_against_us() -> None:
    (market,) = live_rules().markets
    quote = Quote(BTC, Decimal("1.000000015"), Decimal("1.000000015"), 1)
    (price,) = prices_of([quote], {BTC: market})
    assert (price.bid, price.ask) == (100_000_001, 100_000_002)


# Protection.


def test_one_refused_stop_after_others_long_ago_is_no_emergency() -> None:
    world = bought()
    for percent in (1, 2, 3, 4, 5):
        world.engine.state.symbols[BTC].position = replace(held(world), stop=held(world).stop + percent)
        world.handle(PricesSeen(world.now_ms))
        world.pass_time(500)
        refuse_the_stop(world)
        world.pass_time(3_000)
        world.check()
    assert not any(isinstance(each, Noticed) and each.code == "unprotected" for each in world.decisions)


def test_a_stop_that_the_exchange_drops_at_once_is_placed_again_once_a_second() -> None:
    world = bought()
    before = len(world.sent)
    for _ in range(40):
        world.owner_cancels()
        world.report()
        world.handle(PricesSeen(world.now_ms))
    assert len(world.sent) - before <= 1
    world.pass_time(3_000)
    world.check()


def test_nothing_is_due_any_more_once_it_was_done() -> None:
    world = bought()
    world.engine.state.symbols[BTC].position = replace(held(world), stop=held(world).stop + 100)
    world.handle(PricesSeen(world.now_ms))
    world.pass_time(500)
    refuse_the_stop(world)
    refuse_the_stop(world)
    assert due_ms(symbol_of(world)) > 0
    world.pass_time(3_000)
    world.check()
    assert due_ms(symbol_of(world)) == 0


def test_an_exit_that_waits_for_an_unknown_stop_is_not_due() -> None:
    world = bought()
    world.liquid = False
    world.move(54_000)
    world.pass_time(1_500)
    (stop,) = world.open_stops()
    stop.unknown_first, stop.told_at_ms = True, world.now_ms + HOUR_MS
    world.handle(OrderReported(world.now_ms, stop.order_id, BTC, OrderState.UNKNOWN, why="no answer"))
    world.pass_time(5_000)
    assert symbol_of(world).exit is not None
    assert due_ms(symbol_of(world)) == 0


def test_time_goes_on_when_the_clock_of_the_exchange_is_set_back() -> None:
    world = bought()
    world.handle(PricesSeen(world.now_ms + HOUR_MS, (world.quote(),)))
    world.liquid = False
    world.move(54_000)
    world.pass_time(3_500)
    assert symbol_of(world).exit is not None, "the price is under the stop for 3 s"
    assert live_of(world).price == world.ticks(Decimal(54_000))


def test_a_raised_stop_does_not_fall_when_more_is_bought() -> None:
    limits = live_rules(trailing_stop_percent=4 * PERCENT).limits
    (market,) = live_rules().markets
    position = Position(BTC, 0, 0, 0, 0, 0, "e", 0, 0)
    fill = Fill("1", "e", BTC, Side.BUY, 100, 1_000_000, 0, 0, Reason.SIGNAL)
    add_bought(position, fill, market, limits)
    position.stop = position.highest_close = 1_100_000
    position.stop = 1_056_000
    add_bought(position, replace(fill, id="2"), market, limits)
    assert position.stop >= 1_056_000


def test_what_is_bought_after_a_part_was_sold_keeps_the_entry_price() -> None:
    (market,) = live_rules().markets
    limits = live_rules().limits
    position = Position(BTC, 0, 0, 0, 0, 0, "e", 0, 0)
    fill = Fill("1", "e", BTC, Side.BUY, 100, 1_000_000, 0, 0, Reason.SIGNAL)
    add_bought(position, fill, market, limits)
    position.amount, position.sold = 40, 60
    add_bought(position, replace(fill, id="2"), market, limits)
    assert position.entry_price == 1_000_000


# Prices.


def test_one_bad_price_does_not_confirm_itself() -> None:
    world = bought()
    bad = Price(BTC, world.ticks(Decimal(600)), world.ticks(Decimal(601)), world.now_ms)
    for later in (0, 1_000, 2_000, 9_000):
        world.handle(PricesSeen(world.now_ms + later, (bad,)))
    assert live_of(world).price == world.ticks(Decimal(60_000))
    second = replace(bad, time_ms=world.now_ms + 1_000)
    world.handle(PricesSeen(world.now_ms + 10_000, (second,)))
    assert live_of(world).price == world.ticks(Decimal(600))


# Fills.


def test_a_sale_whose_fee_is_taken_in_base_from_elsewhere_is_booked() -> None:
    world = bought()
    (stop,) = world.open_stops()
    order = live_of(world).stop
    assert order is not None
    all_of_it = world.rules.markets[0].amount(held(world).amount)
    execution = Execution("77", world.price, all_of_it, all_of_it / 1000, "BTC", world.now_ms)
    fill = fill_of(execution, order, world.rules.markets[0], world.engine.state)
    world.handle(
        OrderReported(world.now_ms, order.id, BTC, OrderState.FILLED, stop.exchange_id, fill.amount, (fill,))
    )
    assert symbol_of(world).position is None
    external = books_of(world).external
    assert external is not None and external["BTC"] == EXTERNAL["BTC"] - all_of_it / 1000


def test_a_sale_of_what_the_ledger_does_not_hold_any_more_is_no_crash() -> None:
    world = bought()
    (stop,) = world.open_stops()
    order = live_of(world).stop
    assert order is not None
    cash, amount = world.engine.state.cash, held(world).amount
    fill = Fill(
        "late", order.id, BTC, Side.SELL, amount, world.ticks(world.price), 0, world.now_ms, Reason.STOP
    )
    symbol_of(world).position = None
    event = OrderReported(
        world.now_ms, order.id, BTC, OrderState.FILLED, stop.exchange_id, fill.amount, (fill,)
    )
    found = world.engine.handle(event)
    assert any(isinstance(each, Noticed) and each.code == "external" for each in found)
    assert world.engine.state.cash == cash and live_of(world).stop is None


def test_a_fee_in_a_currency_that_nobody_watches_is_no_deposit_later() -> None:
    world = bought()
    order = live_of(world).stop
    assert order is not None
    market = world.rules.markets[0]
    execution = Execution("78", world.price, market.amount(1_000_000), Decimal("0.01"), "BNB", world.now_ms)
    fill = fill_of(execution, order, market, world.engine.state)
    world.balances["BNB"] = Decimal("4.99")
    world.engine.handle(
        OrderReported(world.now_ms, order.id, BTC, OrderState.PARTLY_FILLED, "x1", fill.amount, (fill,))
    )
    external = books_of(world).external
    assert external is not None and "BNB" not in external
    assert external["USDT"] > EXTERNAL["USDT"]


def test_an_order_of_more_fills_than_are_remembered_is_booked_once() -> None:
    world = bought()
    order = live_of(world).stop
    assert order is not None
    fills = tuple(
        Fill(f"f{each}", order.id, BTC, Side.SELL, 10, world.ticks(world.price), 0, world.now_ms, Reason.STOP)
        for each in range(1_500)
    )
    event = OrderReported(world.now_ms, order.id, BTC, OrderState.PARTLY_FILLED, "x1", 15_000, fills)
    amount = held(world).amount
    world.engine.handle(event)
    world.engine.handle(event)
    assert held(world).amount == amount - 15_000


# The books.


def test_an_order_that_came_after_it_was_given_up_is_cancelled_before_the_account_is_flat() -> None:
    world = bought()
    (late,) = world.open_stops()
    world.handle(OrderReported(world.now_ms, late.order_id, BTC, OrderState.REFUSED, why="it never arrived"))
    late.told_at_ms = world.now_ms + HOUR_MS  # nobody follows an order that is held for ended
    world.kill()
    world.pass_time(4_000)
    verified = [world.engine.state.verified_flat]
    assert late.order_id in live_of(world).strays
    late.told_at_ms = 0
    world.pass_time(10_000)
    verified.append(world.engine.state.verified_flat)
    assert late.state is OrderState.CANCELLED
    assert verified == [False, True] and books_of(world).unreconciled == ""


def test_books_are_compared_while_a_partly_filled_stop_rests() -> None:
    world = bought()
    (stop,) = world.open_stops()
    world._fill(stop, Decimal("0.00500"))
    world.pass_time(1_000)
    world.balances["USDT"] += 300
    world.pass_time(6_000)
    external = books_of(world).external
    assert external is not None and external["USDT"] == EXTERNAL["USDT"] + 300


def test_a_difference_right_after_our_own_fill_may_be_an_old_answer() -> None:
    world = World(balances={"BTC": Decimal(0), "USDT": EXTERNAL["USDT"] + 10_000}, least_base=Decimal(0))
    world.pass_time(1_000)
    before = dict(world.balances)
    world.candle(Side.BUY)
    after = dict(world.balances)
    world.balances = before
    world.pass_time(2_000)
    world.balances = after
    world.pass_time(5_000)
    assert world.rules.markets[0].amount(held(world).amount) == after["BTC"]
    assert books_of(world).unreconciled == ""


def test_a_position_that_was_partly_sold_and_then_taken_is_a_trade() -> None:
    world = bought()
    (stop,) = world.open_stops()
    world._fill(stop, Decimal("0.00500"))
    world.pass_time(1_000)
    world.owner_cancels()
    world.least_base = Decimal(0)
    world.balances["BTC"] = Decimal(0)
    world.liquid = False
    for _ in range(20):
        for sent in world.open_stops():
            sent.state, sent.why = OrderState.REFUSED, "insufficient balance"
        world.pass_time(500)
    assert symbol_of(world).position is None
    (trade,) = [each.trade for each in world.decisions if isinstance(each, TradeClosed)]
    market = world.rules.markets[0]
    assert trade.amount == int(Decimal("0.00500") / market.lot)
    assert abs(trade.entry_notional - market.notional(trade.entry_price, trade.amount)) < 10**14


def test_missing_capital_is_told_once() -> None:
    world = World()
    world.balances["USDT"] = Decimal(1)
    world.pass_time(5_000)
    told = [each for each in world.decisions if isinstance(each, Noticed) and each.code == "unreconciled"]
    assert len(told) == 1


def test_the_switch_is_not_verified_flat_any_more_when_something_was_bought_late() -> None:
    world = bought()
    entry = next(each for each in world.sent.values() if each.side is Side.BUY)
    world.kill()
    world.pass_time(4_000)
    assert world.engine.state.verified_flat
    fill = Fill("late", entry.order_id, BTC, Side.BUY, 10**6, 6 * 10**12, 0, world.now_ms, Reason.SIGNAL)
    world.engine.handle(
        OrderReported(world.now_ms, entry.order_id, BTC, OrderState.FILLED, "x0", 10**6, (fill,))
    )
    assert not world.engine.state.verified_flat
