"""A whole engine with its control plane in one process, without Ray: `python -m` this and a settings file.

Everything is the product's own, made as `autotrader run` makes it; adapters stand where Ray would carry
calls. It prints its addresses as one line of JSON, and ends when it is told to stop, by SIGTERM, and when its
standard input is closed, as it is when the tests end.
"""

import asyncio
import logging
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from actors.execution.paper import PaperVenue
from actors.market_data.feed import FeedSpec, MarketData
from actors.persistence.actor import Persistence
from actors.plan import Plan
from actors.ports import Recovered
from actors.refs import SUPERVISOR, RiskRef, StoreRef, SupervisorRef, strategy_name
from actors.risk import Done, Risk
from actors.strategy import Voter
from actors.strategy_spec import StrategySpec
from actors.supervisor import Seen
from cli.run_plans import paper_plan, with_control
from cli.stored_settings import load_with_changes, stored_changes
from control.server import ControlServer
from control.spec import Addresses, ControlSpec
from trading.events import Command
from trading.journal import Entry

Got = TypeVar("Got")


def carried(value: Got) -> Got:
    """The value as it arrives in another process."""
    return cast(Got, pickle.loads(pickle.dumps(value)))


class LocalStore:
    """Persistence in a thread of its own, with the methods of `StoreRef`."""

    def __init__(self, url: str) -> None:
        self._actor = Persistence(url)
        self._thread = ThreadPoolExecutor(1, "persistence")

    async def _ask(self, method: Callable[..., Got], *args: Any) -> Got:
        loop = asyncio.get_running_loop()
        return carried(await loop.run_in_executor(self._thread, method, *carried(args)))

    async def recover(self) -> Recovered:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._actor.recover)

    async def append(self, entries: Sequence[Entry], state: bytes) -> int:
        return await self._ask(self._actor.append, tuple(entries), state)

    async def save_snapshot(self, sequence: int, state: bytes) -> None:
        await self._ask(self._actor.save_snapshot, sequence, state)

    async def finish(self) -> None:
        await self._ask(self._actor.finish)

    async def perform(self, act: Callable[..., Got], *args: Any) -> Got:
        return await self._ask(self._actor.perform, act, *args)

    async def log(self, level: str, source: str, code: str, text: str) -> None:
        await self._ask(self._actor.log, level, source, code, text)

    async def close(self) -> None:
        await self._ask(self._actor.close)
        self._thread.shutdown()


class Actors:
    """The actors of a plan as plain objects, with the methods of `RiskRef` and `SupervisorRef`."""

    def __init__(self, plan: Plan, store: LocalStore) -> None:
        assert isinstance(plan.feed, FeedSpec)
        self._plan = plan
        self._market = MarketData(plan.feed)
        self._voters = {spec.name: self._voter(spec) for spec in plan.strategies}
        self._risk = Risk(store, self._market, PaperVenue(), self._voters.__getitem__, plan.rules)
        self.stop_asked = asyncio.Event()

    def _voter(self, spec: StrategySpec) -> Voter:
        rules = self._plan.rules
        return Voter(spec, rules.markets, self._market, self._plan.anchor_ms, rules.timeframe_ms)

    async def start(self) -> None:
        await self._risk.ensure_running()

    async def stop(self) -> None:
        await self._risk.stop()

    async def command(self, command: Command) -> Done:
        return carried(await self._risk.command(carried(command)))

    async def health(self) -> dict[str, Seen]:
        named = {"risk": self._risk, "market_data": self._market}
        actors = {**named, **{strategy_name(name): voter for name, voter in self._voters.items()}}
        healths = {name: await actor.health() for name, actor in actors.items()}  # type: ignore[attr-defined]
        now = time.monotonic()
        seen = {name: Seen(health.process, 0, health, now) for name, health in healths.items()}
        return carried({SUPERVISOR: Seen(os.getpid()), **seen})

    async def add_strategy(self, spec: StrategySpec) -> None:
        self._voters[spec.name] = self._voter(carried(spec))

    async def remove_strategy(self, name: str) -> None:
        self._voters.pop(name, None)

    async def want_strategies(self, specs: Sequence[StrategySpec]) -> None:
        assert {spec.name for spec in specs} == set(self._voters)

    async def ask_stop(self) -> None:
        self.stop_asked.set()


async def run(config: Path) -> None:
    """The engine of a settings file, until it is told to stop."""
    loaded = load_with_changes(config)
    settings = loaded.settings
    planned = with_control(paper_plan(settings, None), loaded, stored_changes(settings.database.url))
    spec: ControlSpec = planned.plan.companions[0].args[0]
    store = LocalStore(planned.plan.database_url)
    actors = Actors(planned.plan, store)
    await actors.start()
    server = ControlServer(spec, cast(StoreRef, store), cast(RiskRef, actors), cast(SupervisorRef, actors))
    _tell(await server.start())
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, actors.stop_asked.set)
    loop.add_reader(sys.stdin.fileno(), actors.stop_asked.set)
    await actors.stop_asked.wait()
    await server.stop()
    await actors.stop()
    await store.close()


def _tell(addresses: Addresses) -> None:
    print(msgspec.json.encode(addresses).decode(), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(run(Path(sys.argv[1])))
