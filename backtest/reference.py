"""The reference backtest: the engine itself, driven over stored candles in one process."""

from collections.abc import Mapping

from backtest.records import Records
from backtest.simulation import Progress, Simulation, listen
from trading.detail import Detail
from trading.engine import Engine
from trading.events import CandlesClosed, RunStarted, SignalsCollected
from trading.grid import CandleGrid
from trading.open_time import moments_of, reported, venue_orders
from trading.signals import Signal
from trading.simulated_venue import execute

CHUNK = 4_096


def run_reference(simulation: Simulation, progress: Progress) -> Records:
    """Simulate, and return what is left behind.

    `progress` is told what is being done, how far, of how many. Raises StrategyError for a strategy
    that looks ahead, OperationError for one that raises at every candle.
    """
    grid = CandleGrid(simulation.histories)
    voices = list(listen(simulation, grid, progress))
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
    details = _details(simulation)
    for row in range(first, grid.height, CHUNK):
        closed = grid.closed(row, min(row + CHUNK, grid.height))
        said = zip(*(voice.signals(row, closed) for voice in voices), strict=True) if voices else None
        for each in closed:
            together = next(said) if said is not None else ()
            signals = tuple(signal for signal in together if signal is not None)
            take_open_time(engine, each, signals, records, details)
        progress("trading", row + len(closed) - first, grid.height - first)
    return records


def take_open_time(
    engine: Engine,
    closed: CandlesClosed,
    signals: tuple[Signal, ...],
    records: Records,
    details: Mapping[str, Detail],
) -> None:
    """One open time through rulebook 5: what fills, then mark, vote and decide."""
    book = engine.working() if details else venue_orders(engine, closed)
    if book:
        moments = moments_of(closed, details)
        executions = execute(book, engine.state.cash, moments, engine.state.rules)
        if executions.fills or executions.endings:
            records.take(engine.handle(reported(closed.open_time_ms, executions)))
    records.see(closed)
    records.take(engine.handle(closed))
    records.take(engine.handle(SignalsCollected(closed.open_time_ms, signals)))


def _details(simulation: Simulation) -> dict[str, Detail]:
    """The finer candles by symbol, of the symbols that have them."""
    pairs = zip(simulation.histories, simulation.details, strict=False)
    return {history.market.symbol: detail for history, detail in pairs if detail is not None}
