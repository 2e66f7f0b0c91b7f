"""Starting and ending a whole engine, from the process that drives it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgspec

from actors import refs, spawn
from actors.plan import Plan, makers
from actors.ports import ActorLost
from actors.risk import Progress
from actors.strategy_spec import StrategySpec
from actors.supervisor import Seen, Supervisor, all_names
from trading.decisions import AnyDecision
from trading.events import AddStrategy, Command, RemoveStrategy
from trading.rules import Seat
from trading.state import EngineState

ASK_SECONDS = 5.0
_states = msgspec.json.Decoder(EngineState)


class RunningEngine:
    """An engine on Ray, seen from outside it. Every question may raise ActorLost: ask again."""

    def __init__(self, plan: Plan) -> None:
        self._strategies = [spec.name for spec in plan.strategies]

    def progress(self) -> Progress:
        """Where risk stands."""
        progress: Progress = spawn.ask(refs.RISK, "progress", timeout_seconds=ASK_SECONDS)
        return progress

    def health(self) -> dict[str, Seen]:
        """Every actor's health as the supervisor saw it last."""
        seen: dict[str, Seen] = spawn.ask(refs.SUPERVISOR, "health", timeout_seconds=ASK_SECONDS)
        return seen

    def command(self, command: Command) -> list[AnyDecision]:
        """Do an operator's command; returns when it is stored. Raises InputError when it cannot be done."""
        decisions: list[AnyDecision] = spawn.ask(refs.RISK, "command", command)
        return decisions

    def add_strategy(self, spec: StrategySpec, seat: Seat, **facts: Any) -> list[AnyDecision]:
        """Start a strategy and give it a seat."""
        spawn.ask(refs.SUPERVISOR, "add_strategy", spec)
        self._strategies.append(spec.name)
        return self.command(AddStrategy(seat=seat, **facts))

    def remove_strategy(self, name: str, **facts: Any) -> list[AnyDecision]:
        """Take a strategy's seat away and end it."""
        decisions = self.command(RemoveStrategy(name=name, **facts))
        spawn.ask(refs.SUPERVISOR, "remove_strategy", name)
        self._strategies.remove(name)
        return decisions

    def stop(self) -> None:
        """Store everything, then end every actor."""
        for name, method in ((refs.SUPERVISOR, "stop"), (refs.RISK, "stop"), (refs.PERSISTENCE, "close")):
            try:
                spawn.ask(name, method, timeout_seconds=ASK_SECONDS)
            except ActorLost:
                continue
        spawn.end(all_names(self._strategies))


def state_of(progress: Progress) -> EngineState | None:
    """The engine's state in a progress report, if it has started."""
    return _states.decode(progress.state) if progress.state else None


@contextmanager
def ray_meanwhile(address: str | None = None) -> Iterator[Callable[[], None]]:
    """Starts Ray beside the block, and ends it after it; what it yields waits until Ray is there.

    Ray starts in processes of its own: a plan can be made meanwhile. The wait raises what the start
    raised.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        start = pool.submit(spawn.start_ray, address)
        try:
            yield start.result
        finally:
            if start.exception() is None:
                spawn.stop_ray()


@contextmanager
def started(plan: Plan) -> Iterator[RunningEngine]:
    """An engine of this plan on the Ray that runs already, ended at the end of the block."""
    for make in makers(plan, plan.strategies).values():
        make()
    spawn.tell(refs.RISK, "ensure_running")
    spawn.spawn(Supervisor, refs.SUPERVISOR, plan, threads=8)
    engine = RunningEngine(plan)
    try:
        yield engine
    finally:
        engine.stop()
