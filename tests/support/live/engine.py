"""The actors of a live engine, put together in one process."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, cast

import msgspec
from msgspec import Struct
from sqlalchemy import Engine as Database
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from actors.execution.ccxt_account import CcxtAccount
from actors.execution.exchange import ExchangeVenue
from actors.execution.spec import ExchangeSpec
from actors.live_risk import LiveRisk
from actors.persistence.actor import Persistence
from actors.ports import ExchangePort, StorePort
from tests.support.exchange import API_KEY, API_SECRET
from tests.support.live.script import Script
from tests.support.live.seats import Door, Life, Points, Seat, Wire
from trading.desk import working
from trading.reconciliation import on_its_way
from trading.rules import Rules
from trading.state import EngineState

RECV_WINDOW_MS = 600
TIMEOUT_MS = 2_000
STORE_ASKED = "recover append save_snapshot perform"
EXCHANGE_ASKED = "send ask cancel executions account"
VENUE_ASKED = "work news|"
ON_THE_WAY_SECONDS = 0.03
FAILING_SECONDS = 1.0

_states = msgspec.json.Decoder(EngineState)


class Strike(StrEnum):
    """What happens at a point: the process dies at once, or while its request is on its way; an actor dies;
    or the database fails for a while."""

    DEATH = "death"
    DEATH_ON_THE_WAY = "death on the way"
    EXECUTION = "execution"
    RISK = "risk"
    PERSISTENCE = "persistence"
    DATABASE = "database"


class LifeSpec(Struct, frozen=True):
    """One life of an engine: where it works, and what happens at which point (number or name; 0: none)."""

    exchange: ExchangeSpec
    rules: Rules
    prices_url: str
    trace: str
    strike_at: int | str = 0
    strike: Strike = Strike.DEATH


class HereStore:
    """Persistence with its methods in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._persistence = Persistence(url)
        self._thread = ThreadPoolExecutor(1)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def ask(*args: Any) -> Any:
            inner = getattr(self._persistence, method)
            return await asyncio.get_running_loop().run_in_executor(self._thread, inner, *args)

        return ask

    def end(self) -> None:
        """Let the database go after what is being written."""
        self._thread.submit(self._persistence.close)


class LiveEngine:
    """Persistence, execution and risk of one account, and the script that they follow."""

    def __init__(self, spec: LifeSpec) -> None:
        self.spec = spec
        self.points = Points(spec.strike_at, self._strike, spec.trace)
        self._failing_until = 0.0
        self.script = Script(spec.prices_url, spec.rules)
        self._loop = asyncio.get_running_loop()
        event.listen(Database, "commit", self._committing)
        self.seats: dict[str, Seat] = {}
        self._seat("persistence", self._persistence, HereStore.end)
        self._seat("execution", self._execution)
        self._seat("risk", self._risk)

    def _seat(
        self, name: str, make: Callable[[Life], Any], end: Callable[[Any], None] = lambda _: None
    ) -> None:
        self.seats[name] = Seat(name, make, end)

    def _committing(self, _: Any) -> None:
        self.points.reach("in a transaction, before its commit")
        if time.monotonic() < self._failing_until:
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    def _strike(self) -> None:
        match self.spec.strike:
            case Strike.DEATH:
                _die()
            case Strike.DEATH_ON_THE_WAY:
                self._loop.call_soon_threadsafe(self._loop.call_later, ON_THE_WAY_SECONDS, _die)
            case Strike.DATABASE:
                self._failing_until = time.monotonic() + FAILING_SECONDS
            case actor:
                self._loop.call_soon_threadsafe(self.seats[actor.value].die)

    def _persistence(self, _: Life) -> HereStore:
        return HereStore(self.spec.exchange.database_url)

    def _execution(self, life: Life) -> ExchangeVenue:
        store = Door(life, self.seats["persistence"], self.points, STORE_ASKED)

        async def open_account(spec: ExchangeSpec) -> Any:
            account = await CcxtAccount.open(
                spec.exchange,
                spec.options,
                API_KEY,
                API_SECRET,
                spec.symbols,
                spec.cache_folder,
                recv_window_ms=spec.recv_window_ms,
                timeout_ms=TIMEOUT_MS,
            )
            return Wire(life, account, self.points, EXCHANGE_ASKED)

        return ExchangeVenue(self.spec.exchange, cast(Any, store), open_account)

    def _risk(self, life: Life) -> LiveRisk:
        risk = LiveRisk(
            cast(StorePort, Door(life, self.seats["persistence"], self.points, STORE_ASKED)),
            self.script,
            cast(Any, None),
            lambda _: self.script,
            None,
            60.0,
            None,
            self.script,
            cast(ExchangePort, Door(life, self.seats["execution"], self.points, VENUE_ASKED)),
            self.spec.exchange.engine_id,
            2.0,
        )
        self._starting = asyncio.ensure_future(risk.ensure_running())
        return risk

    async def state(self) -> EngineState | None:
        """What the engine of risk knows, stored or not; None before it runs."""
        risk = self.seats["risk"].actor
        if risk is None:
            return None
        progress = await risk.progress()
        assert not progress.failure, progress.failure
        if not progress.state:
            return None
        state = _states.decode(progress.state)
        return state if progress.stored == state.sequence else None

    async def until(self, condition: Callable[[EngineState], bool], seconds: float = 30.0) -> EngineState:
        """Wait until what is stored is like this. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while True:
            state = await self.state()
            if state is not None and condition(state):
                return state
            if time.monotonic() > end:
                raise TimeoutError(f"not settled: {state and _brief(state)}, {await self._health()}")
            await asyncio.sleep(0.02)

    async def _health(self) -> dict[str, Any]:
        venue = self.seats["execution"].actor
        return {} if venue is None else (await venue.health()).facts


def settled(state: EngineState) -> bool:
    """Whether nothing is left to do: books compared, nothing on its way, what is held is protected."""
    books = state.books
    if books is None or books.unreconciled or books.pending or on_its_way(state):
        return False
    return all(
        not each.entry and not each.exit and (not each.position or working(each.live.stop))
        for each in state.symbols.values()
        if each.live is not None
    )


def flat(state: EngineState) -> bool:
    """Whether nothing is held either."""
    return settled(state) and not any(each.position for each in state.symbols.values())


def _brief(state: EngineState) -> str:
    found = [f"unreconciled {state.books and state.books.unreconciled!r}"]
    for each in state.symbols.values():
        orders = [each.entry, each.exit, *(each.live.orders() if each.live else [])]
        found += [f"{each.symbol} holds {each.position and each.position.amount}"]
        found += [f"{order.id} {order.state} {order.cancelling}" for order in orders if order]
    return ", ".join(found)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
