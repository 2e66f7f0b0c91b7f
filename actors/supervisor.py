"""The supervisor: what should run, what runs, what to start again.

Ray starts a dead actor again by itself; the supervisor makes those that are missing, lets risk go on
when it came back, and writes it all to the system log.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from actors import refs, spawn
from actors.plan import Plan, makers, spawn_strategy
from actors.ports import ActorLost, Health
from actors.strategy_spec import StrategySpec
from trading.errors import AutotraderError

LOOK_EVERY_SECONDS = 0.2
AGAIN_SECONDS = 1.0
HEALTH_SECONDS = 2.0

log = logging.getLogger(__name__)


class Seen(Struct):
    """What is known of one actor: its process, how often it was started again, its last health, and how
    long ago that was."""

    process: int = 0
    restarts: int = 0
    health: Health | None = None
    answered_at: float = 0.0
    silent_ms: int = 0


class Supervisor:
    """Watches the actors of one plan, from a thread of its own."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._strategies = {spec.name: spec for spec in plan.strategies}
        self._seen: dict[str, Seen] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stop_asked = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def health(self) -> dict[str, Seen]:
        """What is known of every actor."""
        now = time.monotonic()
        with self._lock:
            known = {
                name: replace(seen, silent_ms=round(1000 * (now - seen.answered_at)))
                for name, seen in self._seen.items()
            }
        return {refs.SUPERVISOR: Seen(os.getpid()), **known}

    def ask_stop(self) -> None:
        """Ask whoever started the engine to end it."""
        self._stop_asked = True

    def stop_asked(self) -> bool:
        """Whether the engine is to be ended."""
        return self._stop_asked

    def add_strategy(self, spec: StrategySpec) -> None:
        """Start a strategy's actor; it votes once risk has given it a seat."""
        with self._lock:
            self._want({**self._strategies, spec.name: spec})
            spawn_strategy(self._plan, spec)

    def remove_strategy(self, name: str) -> None:
        """End a strategy's actor, after risk has taken its seat."""
        with self._lock:
            self._want({each: spec for each, spec in self._strategies.items() if each != name})

    def want_strategies(self, specs: Sequence[StrategySpec]) -> None:
        """What should run now: what a supervisor that was started again cannot know."""
        with self._lock:
            self._want({spec.name: spec for spec in specs})

    def _want(self, strategies: dict[str, StrategySpec]) -> None:
        """Change what should run; an actor that is not wanted, or not like this, ends."""
        ended = [name for name, spec in self._strategies.items() if strategies.get(name) != spec]
        self._strategies = strategies
        actors = [refs.strategy_name(name) for name in ended]
        for name in actors:
            self._seen.pop(name, None)
        spawn.end_and_wait(actors)

    def strategies(self) -> list[str]:
        """The strategies that should run."""
        with self._lock:
            return list(self._strategies)

    def stop(self) -> None:
        """Stop watching, so that actors can be ended."""
        self._stopping.set()
        self._thread.join(HEALTH_SECONDS * 2)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            try:
                self._look()
            except Exception as error:
                log.exception("the supervisor could not look after the actors")
                self._log("alarm", "unexpected", f"the supervisor: {error!r}")
                self._stopping.wait(AGAIN_SECONDS)

    def _look(self) -> None:
        """Make what is missing, wake what sleeps, and ask everybody how they are."""
        with self._lock:
            wanted = makers(self._plan, tuple(self._strategies.values()))
            for name, make in wanted.items():
                if not spawn.exists(name) and not self._stopping.is_set():
                    make()
        self._wake()
        for name, health in spawn.ask_all(wanted, "health", HEALTH_SECONDS).items():
            self._note(name, health)

    def _note(self, name: str, health: Health) -> None:
        """Remember how an actor is, and note in the log that it came back."""
        with self._lock:
            if name not in makers(self._plan, tuple(self._strategies.values())):
                return
            seen = self._seen.setdefault(name, Seen(health.process))
            restarted = seen.process != health.process
            seen.process, seen.health = health.process, health
            seen.answered_at = time.monotonic()
            seen.restarts += restarted
        if restarted:
            self._log("warning", "restarted", f"{name} died and was started again")

    def _wake(self) -> None:
        """Let risk and the companions go on after a start or a restart."""
        for name in (refs.RISK, *(each.name for each in self._plan.companions)):
            with suppress(ActorLost):
                spawn.tell(name, "ensure_running")

    def _log(self, level: str, code: str, text: str) -> None:
        with suppress(AutotraderError):
            spawn.ask(
                refs.PERSISTENCE, "log", level, "supervisor", code, text, timeout_seconds=HEALTH_SECONDS
            )


def all_names(strategies: Iterable[str], companions: Iterable[str]) -> list[str]:
    """The names of all actors of an engine, the supervisor first."""
    return [
        refs.SUPERVISOR,
        *companions,
        refs.RISK,
        *(refs.strategy_name(name) for name in strategies),
        refs.MARKET_DATA,
        refs.EXECUTION,
        refs.PERSISTENCE,
    ]
