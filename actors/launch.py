"""Starting and ending a whole engine, from the process that drives it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from actors import refs, spawn
from actors.persistence.engine_url import is_sqlite, parse_url
from actors.persistence.reader import Reader
from actors.plan import Plan, makers
from actors.ports import ActorLost
from actors.risk import Done, Progress
from actors.strategy_spec import StrategySpec
from actors.supervisor import Seen, Supervisor, all_names
from trading.decisions import AnyDecision
from trading.events import AddStrategy, Command, RemoveStrategy
from trading.rules import Seat
from trading.state import EngineState

ASK_SECONDS = 5.0
START_SECONDS = 60.0
_states = msgspec.json.Decoder(EngineState)


class RunningEngine:
    """An engine on Ray, seen from outside it. Every question may raise ActorLost: ask again."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._companions = [each.name for each in plan.companions]

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
        done: Done = spawn.ask(refs.RISK, "command", command)
        return list(done.decisions)

    def stop_asked(self) -> bool:
        """Whether somebody asked the engine to stop."""
        try:
            asked: bool = spawn.ask(refs.SUPERVISOR, "stop_asked", timeout_seconds=ASK_SECONDS)
        except ActorLost:
            return False
        return asked

    def add_strategy(self, spec: StrategySpec, seat: Seat, **facts: Any) -> list[AnyDecision]:
        """Start a strategy and give it a seat."""
        spawn.ask(refs.SUPERVISOR, "add_strategy", spec)
        return self.command(AddStrategy(seat=seat, **facts))

    def remove_strategy(self, name: str, **facts: Any) -> list[AnyDecision]:
        """Take a strategy's seat away and end it."""
        decisions = self.command(RemoveStrategy(name=name, **facts))
        spawn.ask(refs.SUPERVISOR, "remove_strategy", name)
        return decisions

    def companion(self, name: str) -> Any:
        """Start a companion unless it runs; what its `ensure_running` says, or raises."""
        return spawn.ask(name, "ensure_running", timeout_seconds=START_SECONDS)

    def stop(self) -> None:
        """Store everything, then end every actor; what a dead Ray left is ended as it is."""
        if spawn.dead_process():
            spawn.kill_workers()
            return
        strategies = self._strategies()
        stops = [(refs.SUPERVISOR, "stop"), *((name, "stop") for name in self._companions)]
        sending = [(refs.EXECUTION, "stop")] if self._plan.exchange is not None else []
        for name, method in (*stops, (refs.RISK, "stop"), *sending, (refs.PERSISTENCE, "close")):
            with suppress(ActorLost):
                spawn.ask(name, method, timeout_seconds=ASK_SECONDS)
        spawn.end(all_names(strategies, self._companions))

    def _strategies(self) -> list[str]:
        """Those that run now: they may have changed since the start."""
        try:
            running: list[str] = spawn.ask(refs.SUPERVISOR, "strategies", timeout_seconds=ASK_SECONDS)
        except ActorLost:
            return [spec.name for spec in self._plan.strategies]
        return running


def _stored_sequence(url: str) -> int:
    """The newest journal entry of the run that is to go on."""
    reader = Reader.open(url)
    try:
        run = reader.active_run()
        return -1 if run is None else reader.last_sequence(run.id)
    finally:
        reader.close()


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
    """An engine of this plan on the Ray that runs already, ended at the end of the block.

    All but its strategies runs on this node; with PostgreSQL elsewhere when this node is gone.
    """
    firm = is_sqlite(parse_url(plan.database_url))
    home = spawn.Pin(spawn.this_node(), firm)
    plan = replace(plan, home=home, rules_after=_stored_sequence(plan.database_url))
    for make in makers(plan, plan.strategies).values():
        make()
    for name in (refs.EXECUTION, refs.MARKET_DATA):
        spawn.tell(name, "health")  # Who is asked for the first time connects to the exchange.
    spawn.tell(refs.RISK, "ensure_running")
    spawn.spawn(Supervisor, refs.SUPERVISOR, plan, threads=8, pin=plan.home)
    engine = RunningEngine(plan)
    try:
        yield engine
    finally:
        engine.stop()
