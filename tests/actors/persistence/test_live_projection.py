"""The tables of a live run: orders as the exchange tells them, each row once, whatever the batches."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from actors.persistence import tables
from actors.persistence.reader import Reader
from actors.persistence.runs import Mode, Run, RunSetup
from actors.persistence.store import Store
from tests.support.runs import batches
from tests.trading.accounts import BTC
from tests.trading.live_world import World
from tests.trading.test_live_life import ACTS, bought, step
from trading.decisions import CancelIntended, FillBooked, Noticed, OrderEnded, OrderIntended, TradeClosed
from trading.events import MarketsChanged, OrderReported, RunStarted
from trading.journal import Entry
from trading.orders import FINAL, Fill, Order, OrderKind, OrderState, Reason
from trading.signals import Side

LIVE = RunSetup(Mode.LIVE, source="an exchange")
ALL = 1_000_000


def stored(store: Store, world: World, size: int = 1_000) -> Run:
    """The world's journal in a database, the engine's state with its last entry."""
    started = world.entries[0].event
    assert isinstance(started, RunStarted)
    run = store.begin(LIVE, started)
    for group in batches(world.entries[1:], size):
        last = group[-1] is world.entries[-1]
        store.append(run.id, group, world.engine.state if last else None)
    return run


def rough(seed: int) -> World:
    """A life in which much goes wrong, and what is left of it when all is well again."""
    world = World(seed, 0.25)
    for act in ACTS * 3:
        step(world, act)
        world.pass_time(1_000)
    world.faults, world.liquid = 0.0, True
    world.pass_time(20_000)
    return world


def decided(world: World, kind: type[Any]) -> list[Any]:
    return [each for each in world.decisions if isinstance(each, kind)]


def orders_of(reader: Reader, run: Run) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in reader.newest(tables.orders, run.id, ALL)}


def test_a_stop_at_the_exchange_is_an_order_of_its_own(store: Store, reader: Reader) -> None:
    world = bought()
    run = stored(store, world)
    orders = orders_of(reader, run)
    (intended,) = [each.order for each in decided(world, OrderIntended) if each.order.side is Side.SELL]
    row = orders[intended.id]
    assert (row["kind"], row["state"], row["side"]) == ("stop", "open", "SELL")
    assert (row["trigger_price"], row["limit_price"]) == (Decimal(57_000), Decimal(55_290))
    assert (row["amount"], row["filled"], row["exchange_id"]) == (Decimal("0.01663"), None, "x1")
    (entry,) = [row for row in orders.values() if row["side"] == "BUY"]
    assert (entry["kind"], entry["state"], entry["filled"]) == ("market", "filled", entry["amount"])
    assert [row["id"] for row in reader.waiting_orders(run.id)] == [intended.id]
    (fill,) = reader.newest(tables.fills, run.id, ALL)
    assert (fill["fee_currency"], fill["fee_paid"]) == ("BTC", entry["amount"] / 1000)
    assert fill["fee_base"] == fill["fee_paid"]


def test_a_stop_that_fills_is_the_order_that_was_placed(store: Store, reader: Reader) -> None:
    world = bought()
    world.move(56_900)
    world.pass_time(1_000)
    run = stored(store, world)
    orders = orders_of(reader, run)
    assert sorted(row["kind"] for row in orders.values()) == ["market", "stop"]
    assert {row["state"] for row in orders.values()} == {"filled"}
    (trade,) = reader.newest(tables.trades, run.id, ALL)
    assert (trade["exit_reason"], orders[trade["exit_order_id"]]["kind"]) == ("stop", "stop")


def test_a_partly_filled_order_stays_open_in_every_table(store: Store, reader: Reader) -> None:
    world = bought()
    (sent,) = world.open_stops()
    world._fill(sent, Decimal("0.006"))
    world.report()
    run = stored(store, world)
    row = orders_of(reader, run)[sent.order_id]
    assert (row["state"], row["filled"]) == ("partly_filled", Decimal("0.006"))
    (position,) = reader.positions(run.id)
    assert position["sold"] == Decimal("0.006")
    assert position["sold_notional"] == Decimal("0.006") * 60_000
    assert position["amount"] + position["sold"] == Decimal("0.01663335")


def test_a_cancelled_stop_says_why_and_dust_is_no_position(store: Store, reader: Reader) -> None:
    world = bought()
    world.candle(Side.SELL)
    world.pass_time(2_000)
    run = stored(store, world)
    (stop,) = [row for row in orders_of(reader, run).values() if row["kind"] == "stop"]
    assert (stop["state"], stop["cancelling"], stop["ended_why"]) == (
        "cancelled",
        "an exit comes",
        "an exit comes",
    )
    (trade,) = reader.newest(tables.trades, run.id, ALL)
    (closed,) = [each.trade for each in decided(world, TradeClosed)]
    assert trade["amount"] == run.rules.markets[0].amount(closed.amount) == Decimal("0.01663")
    assert reader.positions(run.id) == []


def test_a_cancel_on_its_way_is_seen(store: Store, reader: Reader) -> None:
    world = bought()
    world.candle(Side.SELL)
    run = stored(store, world, size=1)
    (stop,) = [row for row in orders_of(reader, run).values() if row["kind"] == "stop"]
    assert (stop["state"], stop["cancelling"]) == ("open", "an exit comes")


@pytest.mark.parametrize("seed", range(4))
def test_tables_of_a_rough_life_are_those_of_its_journal(store: Store, reader: Reader, seed: int) -> None:
    world = rough(seed)
    run = stored(store, world, size=7)
    assert store.check(run.id) == []
    orders = orders_of(reader, run)
    assert set(orders) == {each.order.id for each in decided(world, OrderIntended)} == set(world.sent)
    for order_id, sent in world.sent.items():
        row = orders[order_id]
        assert (row["state"], row["filled"] or 0) == (sent.state.value, sent.filled), order_id
        assert (row["cancelling"] is not None) >= (order_id in {e.order_id for e in cancelled(world)})
    fills = {row["id"] for row in reader.newest(tables.fills, run.id, ALL)}
    assert fills == {each.fill.id for each in decided(world, FillBooked)}
    assert {row["ended_why"] is None for row in orders.values() if row["state"] == "filled"} <= {True}
    lines = [line["text"] for line in reversed(reader.log(ALL))]
    assert lines == [each.text for each in decided(world, Noticed)]


def cancelled(world: World) -> list[CancelIntended]:
    ended = {each.ending.order_id for each in decided(world, OrderEnded)}
    return [each for each in decided(world, CancelIntended) if each.order_id in ended]


@pytest.mark.parametrize("sizes", [(1, 1_000), (2, 33)])
def test_tables_do_not_depend_on_the_batches(
    store: Store, make_store: Callable[[], Store], sizes: tuple[int, int]
) -> None:
    world = rough(11)
    found = []
    for each, size in zip((store, make_store()), sizes, strict=True):
        run = stored(each, world, size)
        found.append(rows_of(each, run))
    assert found[0] == found[1]


@pytest.fixture
def make_store(tmp_path: Any) -> Any:
    """Opens another store, which is closed at the end."""
    opened: list[Store] = []

    def make() -> Store:
        opened.append(Store.open(f"sqlite:///{tmp_path / 'other.db'}", lambda: 0))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def rows_of(store: Store, run: Run) -> dict[str, list[Any]]:
    """Every projected row but those that only a state gives."""
    projected = [tables.orders, tables.fills, tables.trades, tables.daily_stats, tables.equity]

    def read(connection: Any) -> dict[str, list[Any]]:
        return {
            table.name: sorted(
                tuple(row) for row in connection.execute(select(table).where(table.c.run_id == run.id))
            )
            for table in projected
        }

    return store.perform(read)


def test_an_entry_that_fills_again_after_its_stop_makes_a_second_trade(store: Store, reader: Reader) -> None:
    world = World()
    run = stored(store, world)
    market, sequence = run.rules.markets[0], world.engine.state.sequence
    buys = [_fill(f"b{number}", "entry", Side.BUY, 1_664_000) for number in (1, 2)]
    sells = [_fill(f"s{number}", f"stop-{number}", Side.SELL, 1_664_000) for number in (1, 2)]
    world.engine.state.symbols[BTC].entry = Order("entry", BTC, Side.BUY, 3_328_000, Reason.SIGNAL, 0)
    entries = []
    for number in (0, 1):
        live = world.engine.state.symbols[BTC].live
        assert live is not None
        state = OrderState.FILLED if number else OrderState.PARTLY_FILLED
        entries.append(_report(world, "entry", state, (number + 1) * 1_664_000, buys[number]))
        live.stop = _stop(f"stop-{number + 1}")
        entries.append(_report(world, f"stop-{number + 1}", OrderState.FILLED, 1_664_000, sells[number]))
        world.engine.state.symbols[BTC].exit = None
    assert entries[0].sequence == sequence + 1
    store.append(run.id, entries, world.engine.state)
    rows = reader.newest(tables.trades, run.id, ALL)
    assert [row["entry_order_id"] for row in rows] == ["entry", "entry"]
    assert {row["amount"] for row in rows} == {market.amount(1_664_000)}


def _stop(order_id: str) -> Order:
    kind, state = OrderKind.STOP, OrderState.OPEN
    return Order(order_id, BTC, Side.SELL, 1_664_000, Reason.STOP, 0, kind=kind, state=state)


def _fill(fill_id: str, order_id: str, side: Side, amount: int) -> Fill:
    reason = Reason.SIGNAL if side is Side.BUY else Reason.STOP
    return Fill(fill_id, order_id, BTC, side, amount, 6_000_000_000_000, 0, 1_577_836_801_000, reason)


def _report(world: World, order_id: str, state: OrderState, filled: int, fill: Fill) -> Entry:
    event = OrderReported(world.now_ms, order_id, BTC, state, "x", filled, (fill,))
    decisions = world.engine.handle(event)
    return Entry(world.engine.state.sequence, event, tuple(decisions))


def test_a_change_of_the_markets_is_stored(store: Store, reader: Reader) -> None:
    world = bought()
    world.handle(MarketsChanged(world.now_ms, world.rules.markets))
    run = stored(store, world)
    assert "changed its rules" in reader.log(1)[0]["text"]
    assert store.check(run.id) == []


def test_an_order_that_is_final_is_not_waiting(store: Store, reader: Reader) -> None:
    world = rough(5)
    run = stored(store, world)
    final = {each.value for each in FINAL}
    waiting = {row["id"] for row in reader.waiting_orders(run.id)}
    assert waiting == {id for id, row in orders_of(reader, run).items() if row["state"] not in final}
