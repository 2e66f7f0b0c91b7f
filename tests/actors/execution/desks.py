"""An account at the local exchange with a database beside it: what the tests of execution work with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from msgspec.structs import replace
from sqlalchemy import Connection, insert, select

from actors.execution.exchange import ExchangeVenue
from actors.execution.spec import ExchangeSpec, OwnLimits
from actors.persistence import tables
from actors.persistence.reader import Reader
from actors.persistence.runs import Mode, RunSetup
from actors.persistence.store import Store
from actors.ports import OrderReport, WantedOrder
from tests.support.exchange import LocalExchange
from tests.support.runs import FIRST_OPEN_MS, RandomRun, rules_of
from trading.client_ids import client_id, engine_id
from trading.exchange_orders import Placement
from trading.orders import FINAL, OrderKind, OrderState
from trading.signals import Side

Given = TypeVarTuple("Given")
Got = TypeVar("Got")

ENGINE = engine_id("the engine of the tests")
RECV_WINDOW_MS = 600
SECONDS = 20.0


class StoreHere:
    """A store in this process, asked as if it were an actor."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        """Do a write in one transaction."""
        return self._store.perform(act, *args)

    async def log(self, level: str, source: str, code: str, text: str) -> None:
        """Write to the system log."""
        self._store.log(level, source, code, text)


class Desk:
    """The exchange, the stored run, and venues on them as one after the other would be started."""

    def __init__(self, exchange: LocalExchange, folder: Path) -> None:
        self.exchange = exchange
        self.url = f"sqlite:///{folder / 'live.db'}"
        self.store = Store.open(self.url, lambda: FIRST_OPEN_MS)
        self.run = self.store.begin(RunSetup(Mode.LIVE), RandomRun(rules_of(), 1).started)
        self.spec = ExchangeSpec(
            exchange="binanceus",
            options=exchange.ccxt_options(),
            symbols=("BTC/USDT", "ETH/USDT"),
            database_url=self.url,
            run_id=self.run.id,
            engine_id=ENGINE,
            cache_folder=str(folder),
            recv_window_ms=RECV_WINDOW_MS,
        )
        self.venues: list[ExchangeVenue] = []

    def venue(self, limits: OwnLimits | None = None) -> ExchangeVenue:
        """A process that executes; those before it are still there."""
        spec = self.spec if limits is None else replace(self.spec, limits=limits)
        self.venues.append(ExchangeVenue(spec, StoreHere(self.store)))
        return self.venues[-1]

    async def close(self) -> None:
        """End all of it."""
        for venue in self.venues:
            await venue.stop()
        self.store.close()

    def approve(self, wanted: WantedOrder, price: str = "60000", decided_ms: int = FIRST_OPEN_MS) -> None:
        """Store an order as risk does before it tells execution."""
        placement = wanted.placement
        row = {
            "run_id": self.run.id,
            "id": wanted.order_id,
            "sequence": 1,
            "symbol": placement.symbol,
            "side": placement.side.value,
            "kind": placement.kind.value,
            "amount": placement.amount,
            "reason": "signal",
            "state": OrderState.WAITING.value,
            "decided_at": decided_ms,
            "sizing_price": Decimal(price),
            "trigger_price": placement.trigger,
            "limit_price": placement.limit,
        }
        self.store.perform(_insert_order, row)

    def alarms(self) -> list[str]:
        """What the system log holds, the newest first."""
        reader = Reader.open(self.url)
        texts = [str(line["text"]) for line in reader.log(100) if line["level"] == "alarm"]
        reader.close()
        return texts

    def epoch(self) -> int:
        """The epoch of the process whose turn it is to send."""
        return self.store.perform(_stored_epoch)

    def sent(self, wanted: WantedOrder) -> int:
        """How often the order was sent, whatever became of it."""
        return self.exchange.truth().sent.get(wanted.placement.client_id, 0)


def _insert_order(connection: Connection, row: dict[str, object]) -> None:
    connection.execute(insert(tables.orders).values(row))


def _stored_epoch(connection: Connection) -> int:
    return connection.scalar(select(tables.executor.c.epoch)) or 0


@asynccontextmanager
async def open_desk(folder: Path) -> AsyncIterator[Desk]:
    """A desk with an exchange of its own, where 10,000 USDT and an ETH are held."""
    async with LocalExchange(holdings={"USDT": "10000", "ETH": "1"}) as exchange:
        desk = Desk(exchange, folder)
        try:
            yield desk
        finally:
            await desk.close()


def an_order(
    name: str = "entry",
    symbol: str = "BTC/USDT",
    side: Side = Side.BUY,
    kind: OrderKind = OrderKind.MARKET,
    amount: str = "0.01",
    limit: str | None = None,
    trigger: str | None = None,
) -> WantedOrder:
    """An order that nobody was told of before."""
    placement = Placement(
        client_id(ENGINE, name),
        symbol,
        side,
        kind,
        Decimal(amount),
        None if trigger is None else Decimal(trigger),
        None if limit is None else Decimal(limit),
    )
    return WantedOrder(name, placement, fresh=True)


def resting(name: str = "resting", symbol: str = "BTC/USDT") -> WantedOrder:
    """A buy far under the price, which stays open."""
    return an_order(name, symbol, kind=OrderKind.LIMIT, limit="2000" if symbol == "ETH/USDT" else "50000")


class Asker:
    """Reads a venue's news as risk does: by cursor, newer reports in place of older ones."""

    def __init__(self, venue: ExchangeVenue) -> None:
        self.venue = venue
        self.incarnation = ""
        self.cursor = 0
        self.halted = ""
        self.reports: dict[str, OrderReport] = {}
        self.history: list[OrderReport] = []

    async def read(self) -> None:
        """Read once."""
        news = await self.venue.news(self.incarnation, self.cursor)
        self.incarnation, self.cursor, self.halted = news.incarnation, news.cursor, news.halted
        self.reports |= {each.order_id: each for each in news.reports}
        self.history += news.reports

    async def until(self, told: Callable[[OrderReport], bool], order_id: str) -> OrderReport:
        """Read until an order's report is like this."""
        async with asyncio.timeout(SECONDS):
            while order_id not in self.reports or not told(self.reports[order_id]):
                await self.read()
        return self.reports[order_id]

    async def final(self, wanted: WantedOrder) -> OrderReport:
        """Read until an order is final."""
        return await self.until(lambda report: report.state in FINAL, wanted.order_id)

    async def state(self, wanted: WantedOrder, state: OrderState) -> OrderReport:
        """Read until an order is in this state."""
        return await self.until(lambda report: report.state is state, wanted.order_id)


async def working(venue: ExchangeVenue, *wanted: WantedOrder) -> Asker:
    """Tell a venue what is wanted, as one who knows which process it is; whoever reads its news."""
    asker = Asker(venue)
    incarnation = await venue.work((), "")
    await venue.work(wanted, incarnation)
    return asker


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that others do."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)
