"""A whole live engine as a user starts it, on a local exchange; each process of it can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from actors.persistence.engine_url import NoDatabaseYet
from actors.persistence.reader import Reader
from actors.persistence.runs import Run
from tests.support.engine import environment
from tests.support.exchange import ExchangeProcess, Truth
from tests.support.live.engine import settled
from tests.support.live.invariants import violations
from tests.support.live_settings import KEYS
from trading.errors import AutotraderError
from trading.events import SignalsCollected
from trading.journal import Entry, replay
from trading.settings_file import toml_value
from trading.state import EngineState

ACTORS = {
    "execution": "ray::ExchangeVenue",
    "risk": "ray::LiveRisk",
    "persistence": "ray::Persistence",
    "market data": "ray::ExchangeMarket",
    "strategy": "ray::Voter",
    "supervisor": "ray::Supervisor",
    "raylet": "raylet",
    "gcs": "gcs_server",
}
# The vote is written in the cents of a close: 1 buys, 2 sells.
PRICES = {"BUY": "60000.01", "SELL": "60000.02", "HOLD": "60000"}
STRATEGY = """
from trading.strategies import Strategy, buy, hold, sell

class Cents(Strategy):
    memory_candles = 2

    def analyze(self, market, news):
        cents = round(market.candles["close"][-1] * 100) % 10
        return {1: buy(100), 2: sell(100)}.get(cents, hold())
"""
SETTINGS = """
[engine]
mode = "live"
symbols = ["BTC/USDT"]
timeframe = "1m"
initial_capital_quote = 10000

[feed]
source = "exchange"

[database]
url = "sqlite:///live.db"

[control]
listen = "127.0.0.1:0"
web_listen = "127.0.0.1:0"

[[strategies]]
name = "cents"
type = "cents"
path = "cents.py"
"""
SETUP: dict[str, Any] = {"prices": {"BTC/USDT": "60000"}, "holdings": {"USDT": "15000", "BTC": "3"}}
QUIET_SECONDS = 30.0
NO_LINES = 2**62
# In the environment of every process of an engine: the engine's folder.
MARK = "AUTOTRADER_TEST_ENGINE"


class WholeEngine:
    """`autotrader run --live` in a folder, the exchange beside it, and what it has stored.

    As a context manager it ends all processes that it started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exchange = ExchangeProcess(folder, **SETUP)
        self.exchange.call("add_history", 400)
        options = toml_value(self.exchange.ccxt_options())
        (folder / "autotrader.toml").write_text(f"{SETTINGS}\n[exchange]\noptions = {options}\n")
        (folder / "cents.py").write_text(STRATEGY)
        self._mark = f"{MARK}={folder}"
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: Reader | None = None
        self._run: Run | None = None
        self._entries: list[Entry] = []
        self._faults = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()
        if self._reader is not None:
            self._reader.close()
        self.exchange.close()

    # Its processes.

    def start(self) -> None:
        """Start it; it goes on from what is stored."""
        folders = {f"XDG_{each}_HOME": str(self.folder / each.lower()) for each in ("STATE", "CACHE")}
        command = [sys.executable, "-m", "cli", "run", "--live", "--yes-live"]
        with (self.folder / "run.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**environment(), **KEYS, **folders, MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def running(self) -> bool:
        """Whether the process that a user started is there."""
        return self._process is not None and self._process.poll() is None

    def pids(self, name: str) -> list[int]:
        """The processes of an actor (a key of ACTORS), or of Ray."""
        return [pid for pid, title in self._family() if _is(title, ACTORS[name])]

    def kill(self, name: str) -> bool:
        """Kill -9 of an actor, of Ray's own processes, of the `driver`, or of `everything`; whether it was
        there."""
        if name == "everything":
            return self.kill_all()
        driver = [self._process.pid] if self._process is not None and self.running else []
        found = driver if name == "driver" else self.pids(name)
        for pid in found:
            _end(pid)
        if name == "driver" and self._process is not None:
            self._process.wait()
        return bool(found)

    def kill_all(self) -> bool:
        """Kill -9 of every process at once."""
        family = [pid for pid, _ in self._family()]
        for pid in family:
            _end(pid)
        if self._process is not None:
            self._process.wait()
        return bool(family)

    def terminate(self) -> None:
        """End it as Ctrl-C or a service manager does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def _family(self) -> list[tuple[int, str]]:
        """Every process of the engine, also one whose parent is gone, and what it calls itself."""
        parents, titles = {}, {}
        for pid, parent, title in _processes():
            parents[pid], titles[pid] = parent, title
        found = {pid for pid in parents if self._mark in _environment(pid)}
        found |= {self._process.pid} if self._process is not None and self.running else set()
        while children := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
            found |= children
        return [(pid, titles[pid]) for pid in found if pid in titles]

    # What it has stored.

    def entries(self) -> list[Entry]:
        """Its journal as far as it is stored."""
        with suppress(NoDatabaseYet, AutotraderError):
            if self._reader is None:
                self._reader = Reader.open(f"sqlite:///{self.folder / 'live.db'}")
            if self._run is None:
                self._run = self._reader.active_run()
            if self._run is not None:
                self._entries += self._new_entries(self._run)
        return self._entries

    def _new_entries(self, run: Run) -> Iterator[Entry]:
        after = self._entries[-1].sequence if self._entries else -1
        assert self._reader is not None
        while chunk := self._reader.tail(run.id, after, NO_LINES).entries:
            yield from chunk
            after = chunk[-1].sequence

    def state(self) -> EngineState | None:
        """What its engine knew after the newest stored entry."""
        entries = self.entries()
        return replay(None, entries).state if entries else None

    def violations(self) -> list[str]:
        """What is not as it must be between its journal and the exchange."""
        entries = self.entries()
        if self._run is None:
            return ["nothing is stored yet"]
        return violations(entries, self.exchange.truth(), self._run.engine_id)

    @property
    def engine_id(self) -> str:
        """What names it in its client order ids."""
        self.entries()
        assert self._run is not None
        return self._run.engine_id

    def truth(self) -> Truth:
        """All that happened at the exchange."""
        return self.exchange.truth()

    # What happens to it.

    def close_candle(self, said: str) -> int:
        """Close a candle on which the strategy says BUY, SELL or HOLD; its open time."""
        open_ms: int = self.exchange.call("close_candle", {"BTC/USDT": PRICES[said]})
        self.exchange.call("set_price", "BTC/USDT", PRICES["HOLD"])
        return open_ms

    def wait_for_fault(self) -> None:
        """Wait until a request has met the fault that was set last."""
        end = time.monotonic() + QUIET_SECONDS
        while sum(each.faulty for each in self.truth().requests) <= self._faults:
            assert time.monotonic() < end, f"no request met the fault; {self.told()}"
            time.sleep(0.02)

    def set_fault(self, **fields: Any) -> None:
        """Let something go wrong at the exchange: fields of its Fault."""
        self._faults = sum(each.faulty for each in self.truth().requests)
        self.exchange.call("fault", **fields)

    def get_ready(self, seconds: float = QUIET_SECONDS) -> None:
        """Wait until a candle is voted on by the strategy, at a live price, and all is quiet."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            open_ms = self.close_candle("HOLD")
            with suppress(AssertionError):
                self.until(lambda state, open_ms=open_ms: state.voted_ms >= open_ms, 3)  # type: ignore[misc]
                votes = [each.event for each in self.entries() if isinstance(each.event, SignalsCollected)]
                if votes[-1].signals and votes[-1].prices and not self.quiet(3):
                    return
        raise AssertionError(f"not ready in {seconds:.0f} s; {self.told()}")

    def until(self, condition: Callable[[EngineState], bool], seconds: float = QUIET_SECONDS) -> EngineState:
        """Wait until what is stored is like this."""
        end = time.monotonic() + seconds
        while True:
            state = self.state()
            if state is not None and condition(state):
                return state
            assert time.monotonic() < end, f"not in {seconds:.0f} s; {self.told()}"
            time.sleep(0.1)

    def quiet(self, seconds: float = QUIET_SECONDS) -> list[str]:
        """Wait until nothing is left to do and all is as it must be; what is wrong after so many seconds."""
        end = time.monotonic() + seconds
        while True:
            state = self.state()
            found = self.violations() if state is not None and settled(state) else ["not settled"]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.2)

    def told(self) -> str:
        """The end of what the engine printed."""
        return (self.folder / "run.log").read_text(errors="replace")[-3000:]


def _is(title: str, wanted: str) -> bool:
    name = title.partition(" ")[0]
    return name.partition(".")[0] == wanted if wanted.startswith("ray::") else name.endswith(f"/{wanted}")


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, int, str]]:
    """Every process of this machine: its number, its parent's, and its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            yield int(folder.name), parent, title


def _environment(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return []
