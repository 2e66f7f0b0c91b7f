"""Typed handles: the ports of `actors.ports`, answered by actors on Ray."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from actors.ports import ActorLost, Answer, CandleBatch, Recovered, VenueNews, WantedOrder
from actors.spawn import handle, translated
from actors.strategy_spec import StrategySpec
from trading.exchange_orders import Account, Filter, Quote
from trading.journal import Entry
from trading.rules import Rules
from trading.simulated_venue import Executions, Moment, Working

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from actors.risk import Done
    from actors.supervisor import Seen
    from trading.events import Command

Given = TypeVarTuple("Given")
Got = TypeVar("Got")

PERSISTENCE = "persistence"
MARKET_DATA = "market_data"
EXECUTION = "execution"
RISK = "risk"
SUPERVISOR = "supervisor"


def strategy_name(name: str) -> str:
    """The actor of a strategy."""
    return f"strategy-{name}"


class Ref:
    """An actor by its name; the handle is looked up when first used, in whatever process that is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handle: Any = None

    async def _ask(self, method: str, *args: Any) -> Any:
        if self._handle is None:
            self._handle = handle(self.name)
        try:
            return await getattr(self._handle, method).remote(*args)
        except Exception as error:
            meant = translated(error, self.name)
            if isinstance(meant, ActorLost):
                self._handle = None  # The next question looks the actor up anew.
            raise meant from None

    def __reduce__(self) -> tuple[type["Ref"], tuple[str]]:
        return type(self), (self.name,)


class MarketRef(Ref):
    """Market data on Ray."""

    async def candles_after(self, open_time_ms: int, limit: int) -> CandleBatch:
        """At most `limit` open times after this one."""
        batch: CandleBatch = await self._ask("candles_after", open_time_ms, limit)
        return batch


class StrategyRef(Ref):
    """A strategy on Ray."""

    async def answers_after(self, open_time_ms: int, limit: int) -> tuple[Answer, ...]:
        """At most `limit` answers after this open time."""
        answers: tuple[Answer, ...] = await self._ask("answers_after", open_time_ms, limit)
        return answers


def strategy_ref(name: str) -> StrategyRef:
    """The strategy of this name."""
    return StrategyRef(strategy_name(name))


class VenueRef(Ref):
    """Execution on Ray."""

    async def execute(
        self,
        book: Sequence[Working],
        cash: int,
        moments: Mapping[str, Sequence[Moment]],
        rules: Rules,
    ) -> Executions:
        """What fills at one open time."""
        executions: Executions = await self._ask("execute", book, cash, moments, rules)
        return executions


class PricesRef(Ref):
    """Market data on Ray, as the source of live prices."""

    async def quotes(self, after: int) -> tuple[int, tuple[Quote, ...]]:
        """The newest quotes that changed after this cursor, and the next cursor."""
        told: tuple[int, tuple[Quote, ...]] = await self._ask("quotes", after)
        return told


class ExchangeRef(Ref):
    """Execution at an exchange on Ray."""

    async def work(self, wanted: Sequence[WantedOrder], incarnation: str) -> str:
        """Make it so; the incarnation that heard it."""
        heard: str = await self._ask("work", tuple(wanted), incarnation)
        return heard

    async def news(self, incarnation: str, after: int) -> VenueNews:
        """What changed after this cursor."""
        news: VenueNews = await self._ask("news", incarnation, after)
        return news

    async def account(self) -> Account | None:
        """The account as the exchange tells it now."""
        account: Account | None = await self._ask("account")
        return account

    async def filters(self) -> tuple[Filter, ...]:
        """The markets' rules."""
        filters: tuple[Filter, ...] = await self._ask("filters")
        return filters


class StoreRef(Ref):
    """Persistence on Ray."""

    async def recover(self) -> Recovered:
        """What is stored of the active run."""
        recovered: Recovered = await self._ask("recover")
        return recovered

    async def append(self, entries: Sequence[Entry], state: bytes) -> int:
        """Store entries; the last sequence."""
        stored: int = await self._ask("append", tuple(entries), state)
        return stored

    async def save_snapshot(self, sequence: int, state: bytes) -> None:
        """Keep a snapshot."""
        await self._ask("save_snapshot", sequence, state)

    async def finish(self) -> None:
        """Mark the run as finished."""
        await self._ask("finish")

    async def perform(self, act: "Callable[[Connection, *Given], Got]", *args: *Given) -> Got:
        """Do a write of the control plane: `act`, a function of a module, in one transaction."""
        done: Got = await self._ask("perform", act, *args)
        return done

    async def log(self, level: str, source: str, code: str, text: str) -> None:
        """Write to the system log."""
        await self._ask("log", level, source, code, text)


class RiskRef(Ref):
    """Risk on Ray."""

    async def command(self, command: "Command") -> "Done":
        """Do an operator's command, once; answered when it is stored."""
        done: Done = await self._ask("command", command)
        return done


class SupervisorRef(Ref):
    """The supervisor on Ray."""

    async def health(self) -> "dict[str, Seen]":
        """What is known of every actor."""
        seen: dict[str, Seen] = await self._ask("health")
        return seen

    async def add_strategy(self, spec: StrategySpec) -> None:
        """Start a strategy's actor."""
        await self._ask("add_strategy", spec)

    async def remove_strategy(self, name: str) -> None:
        """End a strategy's actor."""
        await self._ask("remove_strategy", name)

    async def want_strategies(self, specs: Sequence[StrategySpec]) -> None:
        """Say which strategies should run."""
        await self._ask("want_strategies", tuple(specs))

    async def ask_stop(self) -> None:
        """Ask whoever started the engine to end it."""
        await self._ask("ask_stop")
