"""How the actors are, as the supervisor sees them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from actors import refs
from actors.ports import ActorLost, Health
from actors.refs import SupervisorRef
from actors.strategy_spec import StrategySpec
from actors.supervisor import Seen
from autotrader.v1 import engine_pb2

LOST_MS = 5_000
SLOW_MS = 5_000
RECENT_ERRORS_MS = 60_000
SUPERVISOR_NAME = refs.SUPERVISOR
_NOTHING: tuple[Any, ...] = (None, "", [], (), {})
MOST_FACTS, LONGEST_FACT = 20, 200
# Facts that are shown in another way, or to nobody.
INNER_FACTS = frozenset(
    {
        "errors",
        "failure",
        "finished",
        "incarnation",
        "last_error",
        "latency_p50_ms",
        "latency_p99_ms",
        "released",
        "unreconciled",
        "waits_for",
    }
)


class Actors:
    """Looks at the actors now and then; remembers when a strategy's errors last grew.

    A supervisor that was started again is told which strategies there are now: `strategies` says so.
    """

    def __init__(self, supervisor: SupervisorRef, strategies: Callable[[], list[StrategySpec]]) -> None:
        self._supervisor = supervisor
        self._strategies = strategies
        self._told = 0
        self._seen: Mapping[str, Seen] = {}
        self._supervised = False
        self._errors: dict[str, tuple[int, int]] = {}

    async def look(self, now_ms: int) -> None:
        """Ask the supervisor."""
        try:
            async with asyncio.timeout(LOST_MS / 1000):
                self._seen = await self._supervisor.health()
                await self._tell_strategies()
            self._supervised = True
        except (ActorLost, TimeoutError):
            self._supervised = False
            return
        for name, seen in self._seen.items():
            errors = int(_facts(seen.health).get("errors", 0))
            if errors != self._errors.get(name, (0, 0))[0]:
                self._errors[name] = (errors, now_ms)

    async def _tell_strategies(self) -> None:
        process = self._seen[SUPERVISOR_NAME].process
        if process != self._told:
            await self._supervisor.want_strategies(self._strategies())
            self._told = process

    def fact(self, name: str, key: str) -> Any:
        """One thing that an actor says of itself; None when it says nothing."""
        seen = self._seen.get(name)
        return _facts(seen.health).get(key) if seen else None

    def messages(self, now_ms: int) -> list[engine_pb2.ActorStatus]:
        """Every actor, the supervisor first."""
        names = sorted(self._seen, key=lambda name: (name != SUPERVISOR_NAME, name))
        return [self._message(name, self._seen[name], now_ms) for name in names]

    def message(self, name: str, now_ms: int) -> engine_pb2.ActorStatus:
        """One actor; unspecified health when nobody has seen it yet."""
        seen = self._seen.get(name)
        return self._message(name, seen, now_ms) if seen else engine_pb2.ActorStatus(name=name)

    def _message(self, name: str, seen: Seen, now_ms: int) -> engine_pb2.ActorStatus:
        busy_ms = seen.health.busy_ms if seen.health else 0
        health, note = self._judged(name, seen, busy_ms, now_ms)
        facts = _facts(seen.health)
        return engine_pb2.ActorStatus(
            name=name,
            health=health,
            process_id=seen.process,
            restarts=seen.restarts,
            busy_ms=busy_ms,
            note=note,
            latency_p50_ms=facts.get("latency_p50_ms"),
            latency_p99_ms=facts.get("latency_p99_ms"),
            facts=_shown(facts),
        )

    def _judged(
        self, name: str, seen: Seen, busy_ms: int, now_ms: int
    ) -> tuple["engine_pb2.Health.ValueType", str]:
        if not self._supervised or seen.silent_ms > LOST_MS:
            return engine_pb2.HEALTH_LOST, "does not answer"
        facts = _facts(seen.health)
        trouble = facts.get("failure") or facts.get("halted") or facts.get("trouble")
        if trouble:
            return engine_pb2.HEALTH_DEGRADED, str(trouble)
        if busy_ms > SLOW_MS:
            waits = facts.get("waits_for")
            return engine_pb2.HEALTH_DEGRADED, f"waits for {waits}" if waits else "its work takes long"
        errors, grew_ms = self._errors.get(name, (0, 0))
        note = f"{errors} errors, the last: {facts.get('last_error', '')}" if errors else ""
        if errors and now_ms - grew_ms < RECENT_ERRORS_MS:
            return engine_pb2.HEALTH_DEGRADED, note
        return engine_pb2.HEALTH_OK, note


def _shown(facts: Mapping[str, Any]) -> Iterator[engine_pb2.ActorFact]:
    """What an actor says of itself that is for people, a bounded part of it."""
    told = [
        (name, value) for name, value in facts.items() if name not in INNER_FACTS and value not in _NOTHING
    ]
    for name, value in told[:MOST_FACTS]:
        yield engine_pb2.ActorFact(name=name, value=_words(value)[:LONGEST_FACT])


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _facts(health: Health | None) -> Mapping[str, Any]:
    return health.facts if health is not None else {}
