"""The risk actor: a thin shell around the engine. It feeds it, stores what it says, and sends.

Nothing here decides a trade. Starting and recovering are one path: read what is stored, restore the
engine, ask for the open time after the last one, go on.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from actors.journal_writer import JournalWriter
from actors.latency import Latency
from actors.ports import (
    ActorLost,
    Answer,
    Health,
    MarketPort,
    StorePort,
    StrategyPort,
    VenuePort,
)
from actors.run_ahead import LOST_PAUSE_SECONDS, RunAhead
from trading.decisions import AnyDecision, OrderIntended, TradeClosed
from trading.engine import Engine
from trading.errors import AutotraderError, InputError, OperationError
from trading.events import (
    Abstention,
    AnyEvent,
    CandlesClosed,
    ChangeRules,
    Command,
    SignalsCollected,
)
from trading.journal import Entry, replay, restore, snapshot
from trading.ledger import Trade
from trading.open_time import moments_of, reported, venue_orders
from trading.rules import Rules
from trading.signals import Signal
from trading.simulated_venue import Working
from trading.state import EngineState
from trading.timeframe import iso

BATCH = 250
SHOWN_TRADES = 5

Answered = TypeVar("Answered")


class Progress(Struct, frozen=True):
    """Where the risk actor stands, for whoever watches: `state` is a snapshot of the engine, `latest`
    what was decided at the newest close, `trades` the newest trades closed since it started, of
    `trades_closed` in all."""

    running: bool
    finished: bool
    failure: str
    open_time_ms: int
    candles: int
    stored: int
    state: bytes
    latest: tuple[AnyDecision, ...]
    trades: tuple[Trade, ...] = ()
    trades_closed: int = 0


class Done(Struct, frozen=True):
    """A command that was done: the journal's sequence at which all of it is stored, and what followed."""

    sequence: int
    decisions: tuple[AnyDecision, ...]


class Risk:
    """Holds the engine; the only owner of its state.

    `strategy` gives the port of a strategy by its name. `rules`, when given, are those of the
    present settings: they are put in force at the start when they differ from the stored ones, and no
    longer when the journal has gone on after entry `rules_after` (None: always).
    """

    def __init__(
        self,
        store: StorePort,
        market: MarketPort,
        venue: VenuePort,
        strategy: Callable[[str], StrategyPort],
        rules: Rules | None = None,
        silent_after_seconds: float = 60.0,
        rules_after: int | None = None,
    ) -> None:
        self._store = store
        self._market = market
        self._venue = venue
        self._strategy = strategy
        self._rules = rules
        self._rules_after = rules_after
        self._silent_after_seconds = silent_after_seconds
        self._lock = asyncio.Lock()
        self._engine: Engine | None = None
        self._writer: JournalWriter | None = None
        self._candles: RunAhead[CandlesClosed] | None = None
        self._voters: dict[str, RunAhead[Answer]] = {}
        self._task: asyncio.Task[None] | None = None
        self._finished = False
        self._failure = ""
        self._count = 0
        self._latency = Latency()
        self._voted_ms = -1
        self._latest: list[AnyDecision] = []
        self._trades: deque[Trade] = deque(maxlen=SHOWN_TRADES)
        self._trades_closed = 0
        self._waits_for: tuple[str, float] | None = None

    async def ensure_running(self) -> None:
        """Start or go on; does nothing while it runs, has finished, or has failed for good."""
        if self._finished or self._failure:
            return
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        elif self._task.cancelled():
            self._failure = "the loop of risk was cancelled; start the engine again"

    async def progress(self) -> Progress:
        """Where it stands."""
        engine = self._engine
        return Progress(
            running=self._task is not None and engine is not None,
            finished=self._finished,
            failure=self._failure,
            open_time_ms=engine.state.open_time_ms if engine else -1,
            candles=self._count,
            stored=self._writer.stored if self._writer else 0,
            state=snapshot(engine.state) if engine else b"",
            latest=tuple(self._latest),
            trades=tuple(self._trades),
            trades_closed=self._trades_closed,
        )

    async def health(self) -> Health:
        """That it lives, how the run ended if it did, how long a candle takes to its decisions (what is to be
        sent: to its commit), and the strategy that it waits for, if any."""
        waits = self._waits_for
        facts: dict[str, Any] = {
            "failure": self._failure,
            "finished": self._finished,
            **self._latency.facts(),
        }
        if waits:
            facts["waits_for"] = waits[0]
        busy_ms = round(1000 * (time.monotonic() - waits[1])) if waits else 0
        return Health("risk", os.getpid(), busy_ms, facts)

    async def command(self, command: Command) -> Done:
        """Do an operator's command, once; returns what was decided when all of it is stored.

        It waits for a venue that is filling, and never for a strategy.
        """
        engine, writer = self._engine, self._writer
        if engine is None or writer is None:
            raise OperationError("the engine is starting; try again in a moment")
        async with self._lock:
            try:
                decisions = self._handle(engine, command)  # type: ignore[arg-type]
            except InputError:
                raise
            except Exception as error:
                self._halt(error)
                raise
            sequence = engine.state.sequence
            self._seat_voters(engine)
        await writer.flush()
        return Done(sequence, tuple(decisions))

    async def stop(self) -> None:
        """Store what is held and end the loop; the run itself stays unfinished."""
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            async with self._lock:
                await self._writer.close()

    def _halt(self, error: Exception) -> None:
        """End the loop: what the engine knows may be half changed, and is not to be traded on."""
        self._failure = f"halted by a command: {error!r}; start the engine again"
        if self._task is not None:
            self._task.cancel()

    # The loop

    async def _run(self) -> None:
        try:
            engine = await self._recover()
            await self._run_candles(engine)
            await self._finish(engine)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            await self._fail(error)

    async def _fail(self, error: Exception) -> None:
        """The run ends here: say why."""
        self._failure = said(error)
        await self._ask(lambda: self._store.log("alarm", "risk", "halted", self._failure))
        if not isinstance(error, AutotraderError):
            raise error

    async def _run_candles(self, engine: Engine) -> None:
        """Go on from where the engine stands, to the last candle."""
        if engine.state.voted_ms < engine.state.open_time_ms:
            await self._vote(engine)
        while await self._next_open_time(engine):
            pass

    def _make_writer(self, state: EngineState) -> JournalWriter:
        return JournalWriter(self._store, lambda: snapshot(state), state.sequence)

    async def _recover(self) -> Engine:
        """The engine as storage knows it, under the rules of the present settings."""
        recovered = await self._ask(self._store.recover)
        known = restore(recovered.snapshot) if recovered.snapshot else None
        engine = replay(known, recovered.entries)
        state = engine.state
        self._writer = self._make_writer(state)
        fresh = self._rules_after is None or state.sequence <= self._rules_after
        rules = self._rules
        if rules is not None and rules.live is not None:
            # What the exchange changed since the run began is newer than what the run began with.
            rules = replace(rules, markets=state.rules.markets)
        if fresh and rules is not None and rules != state.rules:
            change = ChangeRules(
                request_id=f"settings-{state.sequence}",
                by="settings",
                time_ms=state.open_time_ms,
                rules=rules,
            )
            self._handle(engine, change)
            await self._writer.flush()
        before_ms = recovered.started.first_open_ms - state.rules.timeframe_ms
        self._candles = RunAhead(self._ask_market, max(state.open_time_ms, before_ms), BATCH)
        self._voted_ms = max(state.voted_ms, before_ms)
        self._seat_voters(engine)
        self._engine = engine
        return engine

    async def _next_open_time(self, engine: Engine) -> bool:
        """Take one open time through steps 1 to 3; False at the end of the candles."""
        assert self._candles is not None and self._writer is not None
        closed = await self._candles.next()
        if closed is None:
            return False
        taken_at = time.monotonic()
        await self._writer.room()
        async with self._lock:
            await self._execute(engine, closed)
            self._handle(engine, closed)
        await self._vote(engine)
        self._latency.add(time.monotonic() - taken_at)
        self._count += 1
        return True

    async def _vote(self, engine: Engine) -> None:
        """Let the strategies vote on the newest open time; what is to be sent waits for its commit.

        After a crash between the candles and their vote, this is where a run goes on.
        """
        assert self._writer is not None
        open_time_ms = engine.state.open_time_ms
        signals = await self._collect(open_time_ms)
        async with self._lock:
            self._latest = self._handle(engine, signals)
            self._voted_ms = open_time_ms
        if any(isinstance(decision, OrderIntended) for decision in self._latest):
            await self._writer.flush()

    async def _finish(self, engine: Engine) -> None:
        assert self._writer is not None
        await self._writer.flush()
        state = engine.state
        await self._ask(lambda: self._store.save_snapshot(state.sequence, snapshot(state)))
        await self._ask(self._store.finish)
        self._finished = True

    async def _execute(self, engine: Engine, closed: CandlesClosed) -> None:
        """Rulebook 5, steps 1 and 2: whatever may fill goes to the venue, after its commit."""
        assert self._writer is not None
        book = venue_orders(engine, closed)
        if not book:
            return
        if await self._ask_venue(engine, book, closed):
            await self._writer.flush()

    async def _ask_venue(self, engine: Engine, book: Sequence[Working], closed: CandlesClosed) -> bool:
        """Book what fills or ends inside a candle, once all before is stored; whether anything did."""
        assert self._writer is not None
        await self._writer.flush()
        state = engine.state
        executions = await self._ask(
            lambda: self._venue.execute(book, state.cash, moments_of(closed), state.rules)
        )
        if not (executions.fills or executions.endings):
            return False
        self._handle(engine, reported(closed.open_time_ms, executions))
        return True

    def _handle(self, engine: Engine, event: AnyEvent) -> list[AnyDecision]:
        """Give the engine an event and the journal both sides of it."""
        assert self._writer is not None
        before = engine.state.sequence
        try:
            decisions = engine.handle(event)
        except InputError:
            raise
        except Exception as error:
            self._writer.abandon(error)
            raise
        for decision in decisions:
            if isinstance(decision, TradeClosed):
                self._trades.append(decision.trade)
                self._trades_closed += 1
        self._writer.add(Entry(before + 1, event, tuple(decisions)))
        return decisions

    # The voters

    async def _collect(self, open_time_ms: int) -> SignalsCollected:
        """What every enabled strategy says of this open time."""
        signals: list[Signal] = []
        abstentions: list[Abstention] = []
        for name, voter in tuple(self._voters.items()):
            answer = await self._answer(name, voter, open_time_ms)
            if name not in self._voters:
                continue
            if answer is None:
                abstentions.append(Abstention(name, "", "no answer"))
                continue
            signals += answer.signals
            abstentions += answer.abstentions
        return SignalsCollected(open_time_ms, tuple(signals), tuple(abstentions))

    async def _answer(self, name: str, voter: RunAhead[Answer], open_time_ms: int) -> Answer | None:
        """One strategy's answer for this open time; silence ends the run (rulebook 3)."""
        answer = voter.held()
        if answer is not None and answer.open_time_ms == open_time_ms:
            return answer
        self._waits_for = (name, time.monotonic())
        try:
            while answer is None or answer.open_time_ms < open_time_ms:
                answer = await asyncio.wait_for(voter.next(), self._silent_after_seconds)
                if answer is None:
                    break
        except TimeoutError:
            raise OperationError(
                f"strategy {name!r} gave no answer for the candle of {iso(open_time_ms)} "
                f"within {self._silent_after_seconds:g} s; the run ends here and can be taken up again"
            ) from None
        finally:
            self._waits_for = None
        return answer if answer is not None and answer.open_time_ms == open_time_ms else None

    def _seat_voters(self, engine: Engine) -> None:
        """Ask the strategies that have an enabled seat, in the order of the seats, and no others."""
        enabled = [seat.name for seat in engine.state.rules.seats if seat.enabled]
        for name in set(self._voters) - set(enabled):
            self._voters.pop(name).close()
        self._voters = {
            name: self._voters.get(name) or RunAhead(self._ask_strategy(name), self._voted_ms, BATCH)
            for name in enabled
        }

    def _ask_strategy(self, name: str) -> Callable[[int, int], Awaitable[tuple[Sequence[Answer], bool]]]:
        port = self._strategy(name)

        async def ask(after_ms: int, limit: int) -> tuple[Sequence[Answer], bool]:
            answers = await port.answers_after(after_ms, limit)
            return answers, not answers

        return ask

    async def _ask_market(self, after_ms: int, limit: int) -> tuple[Sequence[CandlesClosed], bool]:
        batch = await self._market.candles_after(after_ms, limit)
        return batch.closed, batch.ended

    async def _ask(self, question: Callable[[], Awaitable[Answered]]) -> Answered:
        """Ask until there is an answer: the actor behind it may die and be started again."""
        while True:
            try:
                return await question()
            except ActorLost:
                await asyncio.sleep(LOST_PAUSE_SECONDS)


def said(error: Exception) -> str:
    """An error in words."""
    return str(error) if isinstance(error, AutotraderError) else repr(error)
