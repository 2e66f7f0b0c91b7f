"""One backtest by either engine: the compiled one where it can, else the reference."""

from backtest.records import RunRecords
from backtest.simulation import Progress, Simulation
from trading.errors import InputError
from trading.strategies.base import VectorStrategy

FAST, REFERENCE = "fast", "reference"
ENGINES = (FAST, REFERENCE)


def chosen_engine(asked: str | None, simulation: Simulation) -> str:
    """The engine asked for, else the compiled one when every enabled strategy is vectorised.

    A strategy that is asked candle by candle takes most of the time by itself. Raises InputError,
    naming --engine, for any other word.
    """
    if asked is None:
        enabled = [strategy for settings, strategy in simulation.strategies if settings.enabled]
        return FAST if all(isinstance(each, VectorStrategy) for each in enabled) else REFERENCE
    if asked not in ENGINES:
        raise InputError(f"--engine: {asked!r} is not an engine; allowed: {', '.join(ENGINES)}")
    return asked


def run_backtest(simulation: Simulation, engine: str, progress: Progress) -> RunRecords:
    """Simulate; both engines leave the same. A run too large for 64 bits goes to the reference.

    Raises StrategyError for a strategy that looks ahead, OperationError for one that always fails.
    """
    if engine == FAST:
        from backtest.fast.rules import TooLarge
        from backtest.fast.run import run_fast

        try:
            return run_fast(simulation, progress)
        except TooLarge:
            progress("trading with larger numbers", 0, 1)
    from backtest.reference import run_reference

    return run_reference(simulation, progress)
