"""The read model: what is stored, followed a moment behind by a replica of the engine.

It reads the database and never asks risk, so that nobody who looks can slow who trades. It lags by at
most 20 ms and what one query takes. Memory: the engine's state and the ring of the newest events.
"""

import asyncio
from collections.abc import Callable, Mapping

from msgspec import Struct

from actors import refs
from actors.persistence.reader import Reader, Tail
from actors.persistence.units import Units
from autotrader.v1 import engine_pb2, event_pb2, portfolio_pb2
from control.read_model.actors import Actors
from control.read_model.events import Teller
from control.read_model.ring import Ring
from control.read_model.views import account_message, position_messages, symbol_messages
from control.rows import log_message, timestamp
from trading.decisions import EquityMarked, OutcomeDecided, TradeClosed
from trading.engine import Engine
from trading.errors import OperationError
from trading.events import CandlesClosed
from trading.journal import Entry, replay, restore
from trading.state import EngineState
from trading.timeframe import timeframe_name

LOOK_SECONDS = 0.02
HEALTH_SECONDS = 1.0
FAR_BEHIND = 5_000


class RunFacts(Struct, frozen=True):
    """What does not change while the engine runs; `feed` says in words where candles come from, `exchange`
    which one it is, or is empty."""

    run_id: int
    mode: int
    feed: str
    version: str
    started_ms: int
    exchange: str = ""


class ReadModel:
    """Follows one run. `follow` never ends by itself; every other method answers from memory."""

    def __init__(self, reader: Reader, facts: RunFacts, actors: Actors, now_ms: Callable[[], int]) -> None:
        self.facts = facts
        self.ring = Ring()
        self.actors = actors
        self._reader = reader
        self._now_ms = now_ms
        self._candle_seen_ms: int | None = None
        self._engine: Engine | None = None
        self._teller: Teller | None = None
        self._outcomes: dict[str, OutcomeDecided] = {}
        self._line = 0
        self._trades = self._candles = 0
        self._status: engine_pb2.EngineStatus | None = None
        self._positions: list[portfolio_pb2.Position] | None = None

    @property
    def state(self) -> EngineState:
        """The engine's state after the newest entry that was read. Raises OperationError before the first."""
        if self._engine is None:
            raise OperationError("the engine is starting; try again in a moment")
        return self._engine.state

    @property
    def units(self) -> Units:
        """What the state's integers are worth."""
        return Units(self.state.rules)

    @property
    def outcomes(self) -> Mapping[str, OutcomeDecided]:
        """The newest outcome of each symbol."""
        return self._outcomes

    @property
    def sequence(self) -> int:
        """The newest entry that was read."""
        return self.state.sequence

    async def start(self) -> None:
        """Read what is stored so far."""
        self._line = await asyncio.to_thread(self._reader.last_line)
        await self._jump()
        while await self._take_next():
            pass

    async def follow(self) -> None:
        """Read on, for good."""
        while True:
            if not await self._take_next():
                await asyncio.sleep(LOOK_SECONDS)

    async def look_after_actors(self) -> None:
        """Look at the actors every second, for good; an answer that does not come holds nothing else up."""
        while True:
            before = self.actors.messages(self._now_ms())
            await self.actors.look(self._now_ms())
            if self.actors.messages(self._now_ms()) != before:
                self._changed()
            await asyncio.sleep(HEALTH_SECONDS)

    async def reach(self, sequence: int, seconds: float = 2.0) -> None:
        """Wait until an entry was read, at most so long."""
        async with asyncio.timeout(seconds):
            while self.sequence < sequence:
                await self.ring.changed(LOOK_SECONDS)

    def status(self) -> engine_pb2.EngineStatus:
        """Everything that matters in one look."""
        if self._status is None:
            self._status = self._made_status()
        return self._status

    def positions(self) -> list[portfolio_pb2.Position]:
        """The open positions."""
        if self._positions is None:
            self._positions = position_messages(self.state, self.units)
        return self._positions

    def tell(self, topic: "event_pb2.Topic.ValueType", event: event_pb2.Event) -> None:
        """Tell listeners of something beside the journal."""
        self.ring.add(self.sequence, [(topic, "", event)])
        self.ring.wake()

    async def _jump(self) -> None:
        """Begin at the newest snapshot, or at the run's first entry."""
        run_id = self.facts.run_id
        _, body = await asyncio.to_thread(self._reader.snapshot, run_id)
        self._engine = restore(body) if body is not None else None
        sequence = self._engine.state.sequence if self._engine else -1
        self._teller = Teller(self._engine.state) if self._engine else None
        self._outcomes.clear()
        open_time_ms = self._engine.state.open_time_ms if self._engine else -1
        counted = await asyncio.to_thread(self._reader.counts, run_id, sequence, open_time_ms)
        self._trades, self._candles = counted
        self.ring.begin(sequence + 1)

    async def _take_next(self) -> bool:
        """Read the next entries and lines; whether there may be more at once."""
        sequence = self._engine.state.sequence if self._engine else -1
        tail = await asyncio.to_thread(self._reader.tail, self.facts.run_id, sequence, self._line)
        if self._engine is not None and tail.newest - sequence > FAR_BEHIND:
            await self._jump()
            return True
        if tail.entries or tail.lines:
            await self._take(tail)
            self._changed()
        return bool(tail.entries) and tail.entries[-1].sequence < tail.newest

    async def _take(self, tail: Tail) -> None:
        for number, entry in enumerate(tail.entries):
            self._take_entry(entry)
            if number % 100 == 99:
                await asyncio.sleep(0)
        sequence = self._engine.state.sequence if self._engine else 0
        lines = [
            (event_pb2.TOPIC_LOGS, "", event_pb2.Event(log_entry=log_message(row))) for row in tail.lines
        ]
        self.ring.add(sequence, lines)
        if tail.lines:
            self._line = tail.lines[-1]["id"]

    def _take_entry(self, entry: Entry) -> None:
        if isinstance(entry.event, CandlesClosed):
            self._candle_seen_ms = self._now_ms()
        self._engine = replay(self._engine, (entry,))
        if self._teller is None:
            self._teller = Teller(self._engine.state)
        self.ring.add(entry.sequence, self._teller.events(entry))
        for decision in entry.decisions:
            if isinstance(decision, OutcomeDecided):
                self._outcomes[decision.symbol] = decision
            self._trades += isinstance(decision, TradeClosed)
            self._candles += isinstance(decision, EquityMarked)

    def _changed(self) -> None:
        self._status = self._positions = None
        self.ring.wake()

    def _made_status(self) -> engine_pb2.EngineStatus:
        state = self.state
        status = account_message(state, self.units)
        status.mode = self.facts.mode  # type: ignore[assignment]
        status.failure = self.actors.fact(refs.RISK, "failure") or ""
        status.state = self._state_of(state, status.failure)
        status.feed = self.facts.feed
        status.exchange = self.facts.exchange
        status.symbols.extend(symbol_messages(state, self.units, self._outcomes))
        status.timeframe = timeframe_name(state.rules.timeframe_ms)
        if self._candle_seen_ms is not None:
            status.candle_seen_at.CopyFrom(timestamp(self._candle_seen_ms))
        status.run_id = self.facts.run_id
        status.actors.extend(self.actors.messages(self._now_ms()))
        status.started_at.CopyFrom(timestamp(self.facts.started_ms))
        status.version = self.facts.version
        status.trades = self._trades
        status.candles = self._candles
        return status

    def _state_of(self, state: EngineState, failure: str) -> "engine_pb2.EngineState.ValueType":
        if failure:
            return engine_pb2.ENGINE_STATE_FAILED
        if state.killed:
            flat = state.verified_flat
            return engine_pb2.ENGINE_STATE_KILLED if flat else engine_pb2.ENGINE_STATE_KILLING
        if self.actors.fact(refs.RISK, "finished"):
            return engine_pb2.ENGINE_STATE_FINISHED
        if state.paused:
            return engine_pb2.ENGINE_STATE_PAUSED
        started = state.open_time_ms >= 0
        return engine_pb2.ENGINE_STATE_RUNNING if started else engine_pb2.ENGINE_STATE_STARTING
