"""The supervisor: what should run, what runs, what to start again.

Ray starts a dead actor again by itself; the supervisor makes those that are missing, wakes the ones
that came back, ends those that hang, and writes it all to the system log.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from actors import refs, spawn
from actors.execution.paper import PaperVenue
from actors.market_data.feed import FeedSpec, MarketData
from actors.persistence.actor import Persistence
from actors.ports import ActorLost, Health
from actors.risk import Risk
from actors.strategy import StrategySpec, Voter
from trading.rules import Rules

LOOK_EVERY_SECONDS = 0.2
HEALTH_SECONDS = 2.0


class Plan(Struct, frozen=True):
    """Everything that should run."""

    database_url: str
    feed: FeedSpec
    rules: Rules
    anchor_ms: int
    strategies: tuple[StrategySpec, ...]
    hung_after_seconds: float | None = None


class Seen(Struct):
    """What is known of one actor: its process, how often it was started again, its last health."""

    process: int = 0
    restarts: int = 0
    health: Health | None = None


class Supervisor:
    """Watches the actors of one plan, from a thread of its own."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._strategies = {spec.name: spec for spec in plan.strategies}
        self._seen: dict[str, Seen] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def process(self) -> int:
        """This actor's process."""
        return os.getpid()

    def health(self) -> dict[str, Seen]:
        """What is known of every actor."""
        with self._lock:
            return dict(self._seen)

    def add_strategy(self, spec: StrategySpec) -> None:
        """Start a strategy's actor; it votes once risk has given it a seat."""
        with self._lock:
            self._strategies[spec.name] = spec
        self._spawn_strategy(spec)

    def remove_strategy(self, name: str) -> None:
        """End a strategy's actor, after risk has taken its seat."""
        with self._lock:
            self._strategies.pop(name, None)
            self._seen.pop(refs.strategy_name(name), None)
        spawn.end([refs.strategy_name(name)])

    def stop(self) -> None:
        """Stop watching, so that actors can be ended."""
        self._stopping.set()
        self._thread.join(HEALTH_SECONDS * 2)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            for name, start in self._wanted().items():
                self._look_after(name, start)
            self._wake_risk()

    def _wanted(self) -> dict[str, Callable[[], None]]:
        plan = self._plan
        with self._lock:
            strategies = list(self._strategies.values())
        wanted: dict[str, Callable[[], None]] = {
            refs.PERSISTENCE: lambda: spawn.spawn(Persistence, refs.PERSISTENCE, plan.database_url),
            refs.MARKET_DATA: lambda: spawn.spawn(MarketData, refs.MARKET_DATA, plan.feed),
            refs.EXECUTION: lambda: spawn.spawn(PaperVenue, refs.EXECUTION),
            refs.RISK: self._spawn_risk,
        }
        for spec in strategies:
            wanted[refs.strategy_name(spec.name)] = lambda spec=spec: self._spawn_strategy(spec)  # type: ignore[misc]
        return wanted

    def _spawn_risk(self) -> None:
        spawn.spawn(
            Risk,
            refs.RISK,
            refs.StoreRef(refs.PERSISTENCE),
            refs.MarketRef(refs.MARKET_DATA),
            refs.VenueRef(refs.EXECUTION),
            refs.strategy_ref,
            self._plan.rules,
        )

    def _spawn_strategy(self, spec: StrategySpec) -> None:
        spawn.spawn(
            Voter,
            refs.strategy_name(spec.name),
            spec,
            self._plan.rules.markets,
            refs.MarketRef(refs.MARKET_DATA),
            self._plan.anchor_ms,
            self._plan.rules.timeframe_ms,
        )

    def _look_after(self, name: str, start: Callable[[], None]) -> None:
        """See how an actor is; make it when it is missing, end it when it hangs."""
        try:
            health: Health = spawn.ask(name, "health", timeout_seconds=HEALTH_SECONDS)
        except ActorLost:
            if not self._stopping.is_set():
                start()
            return
        with self._lock:
            seen = self._seen.setdefault(name, Seen(health.process))
            restarted = seen.process != health.process
            seen.process, seen.health = health.process, health
            seen.restarts += restarted
        if restarted:
            self._log("warning", "restarted", f"{name} died and was started again")
        limit = self._plan.hung_after_seconds
        if limit is not None and name.startswith("strategy-") and health.busy_ms > 1000 * limit:
            self._log("warning", "hung", f"{name} was busy for {health.busy_ms / 1000:.0f} s and is started again")
            spawn.end([name], restart=True)

    def _wake_risk(self) -> None:
        """Let risk go on after a start or a restart."""
        try:
            spawn.ask(refs.RISK, "ensure_running", timeout_seconds=HEALTH_SECONDS)
        except ActorLost:
            return

    def _log(self, *what: Any) -> None:
        level, code, text = what
        try:
            spawn.ask(refs.PERSISTENCE, "log", level, "supervisor", code, text, timeout_seconds=HEALTH_SECONDS)
        except ActorLost:
            time.sleep(0)


def all_names(strategies: list[str]) -> list[str]:
    """The names of all actors of an engine, the supervisor first."""
    return [
        refs.SUPERVISOR,
        refs.RISK,
        *(refs.strategy_name(name) for name in strategies),
        refs.MARKET_DATA,
        refs.EXECUTION,
        refs.PERSISTENCE,
    ]
