"""Worlds in which an engine lives several lives: an exchange in the test's loop, a database, and forks."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import msgspec

from actors.execution.spec import ExchangeSpec
from actors.persistence.engine_url import open_engine
from actors.persistence.runs import Mode, RunSetup
from actors.persistence.store import Store
from actors.persistence.stored_journal import StoredEntries
from tests.data import ROOT
from tests.support.exchange import LocalExchange
from tests.support.live.engine import RECV_WINDOW_MS, LifeSpec, Strike
from tests.support.live.invariants import violations
from tests.trading.live_world import live_rules
from trading.events import RunStarted
from trading.journal import Entry

HOLDINGS = {"USDT": "15000", "BTC": "3"}
DEADLY = (Strike.DEATH, Strike.DEATH_ON_THE_WAY)
MINUTE_MS = 60_000
STEP_SECONDS = 60.0


class Forks:
    """Forks lives; as a context manager it ends with the block."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.live.forks"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def fork(self, port: int) -> None:
        """Start a life that asks at this port what to do."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{port}\n".encode())
        self._process.stdin.flush()


class Template:
    """A database with a run that has just begun, to be copied."""

    def __init__(self, folder: Path) -> None:
        now_ms = time.time_ns() // 1_000_000
        open_ms = now_ms // MINUTE_MS * MINUTE_MS - MINUTE_MS
        self.file, self.rules = folder / "template.db", live_rules()
        store = Store.open(f"sqlite:///{self.file}", lambda: now_ms)
        setup = RunSetup(Mode.LIVE, source="exchange binanceus")
        self.run = store.begin(setup, RunStarted(self.rules, open_ms, open_ms))
        store.close()


class World:
    """An exchange and an account's database; lives follow one another in it."""

    def __init__(self, exchange: LocalExchange, folder: Path, template: Template, forks: Forks) -> None:
        self.exchange, self.folder, self._forks = exchange, folder, forks
        self.run, self._rules = template.run, template.rules
        shutil.copy(template.file, folder / "live.db")
        self.url = f"sqlite:///{folder / 'live.db'}"

    async def live(
        self, steps: Sequence[str], strike_at: int | str = 0, strike: Strike = Strike.DEATH
    ) -> list[str]:
        """One life through these steps, or until it dies; what was not as it must be after any of them."""
        lines: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        server = await asyncio.start_server(lambda *line: lines.put_nowait(line), "127.0.0.1", 0)
        async with server:
            self._forks.fork(server.sockets[0].getsockname()[1])
            reader, writer = await lines.get()
            try:
                return await self._lead(reader, writer, self._spec(strike_at, strike), steps)
            finally:
                writer.close()

    async def _lead(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        spec: LifeSpec,
        steps: Sequence[str],
    ) -> list[str]:
        writer.write(msgspec.json.encode(spec) + b"\n")
        found: list[str] = []
        for step in steps:
            try:
                writer.write(f"{step}\n".encode())
                told = await asyncio.wait_for(reader.readline(), STEP_SECONDS)
            except ConnectionError:
                told = b""
            if not told:
                deadly = spec.strike_at and spec.strike in DEADLY
                return found if deadly else [*found, f"{step}: the process died"]
            trouble = msgspec.json.decode(told, type=str)
            if trouble:
                return [*found, f"{step}: {trouble}"]
            found += [f"{step}: {each}" for each in self.violations()]
        return found

    def _spec(self, strike_at: int | str, strike: Strike) -> LifeSpec:
        options = self.exchange.ccxt_options()
        where = ExchangeSpec(
            exchange="binanceus",
            options=options,
            symbols=self.run.symbols,
            database_url=self.url,
            run_id=self.run.id,
            engine_id=self.run.engine_id,
            cache_folder=str(self.folder),
            recv_window_ms=RECV_WINDOW_MS,
        )
        public = options["urls"]["api"]["public"]
        return LifeSpec(where, self._rules, public, str(self.folder / "trace"), strike_at, strike)

    def violations(self) -> list[str]:
        """What is not as it must be between the journal and the exchange."""
        return violations(self.journal(), self.exchange.truth(), self.run.engine_id)

    def journal(self) -> list[Entry]:
        """All that is stored."""
        engine = open_engine(self.url, read_only=True)
        try:
            return list(StoredEntries(engine, self.run.id))
        finally:
            engine.dispose()

    def trace(self) -> list[str]:
        """The points that the last life reached."""
        return (self.folder / "trace").read_text().splitlines()


@asynccontextmanager
async def a_world(folder: Path, template: Template, forks: Forks) -> AsyncIterator[World]:
    """A world with an exchange of its own, on which a little belongs to the owner alone."""
    folder.mkdir()
    async with LocalExchange(prices={"BTC/USDT": "60000"}, holdings=HOLDINGS) as exchange:
        yield World(exchange, folder, template, forks)
