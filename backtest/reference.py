"""The reference backtest: the engine itself, driven over stored candles in one process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from backtest.records import Records
from trading.engine import Engine
from trading.errors import OperationError
from trading.events import CandlesClosed, RunStarted, SignalsCollected
from trading.grid import CandleGrid
from trading.history import History
from trading.open_time import moments_of, reported, venue_orders
from trading.rules import Rules
from trading.settings import StrategySettings
from trading.signals import Signal
from trading.simulated_venue import execute
from trading.strategies.base import Strategy
from trading.strategies.evaluate import ABSENT, Evaluated, evaluate
from trading.strategies.lookahead import check_no_lookahead
from trading.timeframe import timeframe_name

CHUNK = 4_096

Progress = Callable[[str, int, int], None]
Chosen = Sequence[tuple[StrategySettings, Strategy]]


@dataclass(frozen=True)
class Simulation:
    """What to simulate: histories in the order of the settings, cut at their end, the rules, the
    strategies, and the open time at which trading begins (earlier candles only warm up)."""

    histories: Sequence[History]
    rules: Rules
    strategies: Chosen
    first_open_ms: int
    seed: int = 1


@dataclass(frozen=True)
class Voice:
    """What one strategy says of one symbol over its whole history, and where that lies in the grid."""

    strategy: str
    symbol: str
    offset: int
    said: Evaluated

    def signals(self, first_row: int, closed: Sequence[CandlesClosed]) -> Iterator[Signal | None]:
        """The signal at each of these open times, None where it is absent."""
        start = first_row - self.offset
        before = min(max(0, -start), len(closed))
        yield from (None for _ in range(before))
        times = [each.open_time_ms for each in closed[before:]]
        found = self.said.signals(start + before, start + len(closed), self.strategy, self.symbol, times)
        yield from found
        yield from (None for _ in range(len(times) - len(found)))


def run_reference(simulation: Simulation, progress: Progress) -> Records:
    """Simulate, and return what is left behind.

    `progress` is told what is being done, how far, of how many. Raises StrategyError for a strategy
    that looks ahead, OperationError for one that raises at every candle.
    """
    grid = CandleGrid(simulation.histories)
    voices = list(_listen(simulation, grid, progress))
    first = grid.row(simulation.first_open_ms)
    engine = Engine.start(
        RunStarted(
            simulation.rules,
            grid.first_ms,
            simulation.first_open_ms,
            grid.holes_before(first, simulation.rules.limits.max_gap_candles),
        )
    )
    records = Records()
    for row in range(first, grid.height, CHUNK):
        closed = grid.closed(row, min(row + CHUNK, grid.height))
        said = zip(*(voice.signals(row, closed) for voice in voices), strict=True) if voices else None
        for each in closed:
            together = next(said) if said is not None else ()
            signals = tuple(signal for signal in together if signal is not None)
            take_open_time(engine, each, signals, records)
        progress("trading", row + len(closed) - first, grid.height - first)
    return records


def take_open_time(
    engine: Engine, closed: CandlesClosed, signals: tuple[Signal, ...], records: Records
) -> None:
    """One open time through rulebook 5: what fills, then mark, vote and decide."""
    book = venue_orders(engine, closed)
    if book:
        executions = execute(book, engine.state.cash, moments_of(closed), engine.state.rules)
        if executions.fills or executions.endings:
            records.take(engine.handle(reported(closed.open_time_ms, executions)))
    records.see(closed)
    records.take(engine.handle(closed))
    records.take(engine.handle(SignalsCollected(closed.open_time_ms, signals)))


def _listen(simulation: Simulation, grid: CandleGrid, progress: Progress) -> Iterator[Voice]:
    """Every enabled strategy on every symbol, checked not to look ahead."""
    enabled = [(chosen, strategy) for chosen, strategy in simulation.strategies if chosen.enabled]
    total = len(enabled) * len(simulation.histories)
    done = 0
    for chosen, strategy in enabled:
        for place, history in enumerate(simulation.histories):
            progress("signals", done, total)
            said = _hear(simulation, grid, chosen, strategy, place)
            yield Voice(chosen.name, history.market.symbol, grid.offset(place), said)
            done += 1
    progress("signals", done, total)


def _hear(
    simulation: Simulation, grid: CandleGrid, chosen: StrategySettings, strategy: Strategy, place: int
) -> Evaluated:
    history = simulation.histories[place]
    symbol, candles = history.market.symbol, history.candles
    timeframe = timeframe_name(history.timeframe_ms)
    since_anchor_ms = int(history.open_times_ms[0]) - grid.first_ms if candles.height else 0
    closes_before = since_anchor_ms // history.timeframe_ms
    every = chosen.every_candles or strategy.every_candles
    said = evaluate(strategy, symbol, timeframe, candles, closes_before=closes_before, every_candles=every)
    if said.errors and (said.sides == ABSENT).all():
        fault = next(iter(said.errors.values()))
        raise OperationError(f"strategy {chosen.name!r} fails at every candle of {symbol}: {fault}")
    check_no_lookahead(
        strategy,
        symbol,
        timeframe,
        candles,
        said,
        simulation.seed,
        name=chosen.name,
        closes_before=closes_before,
        every_candles=every,
    )
    return said
