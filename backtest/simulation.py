"""What is simulated, and what its strategies say: the ground that both engines stand on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trading.detail import Detail
from trading.errors import OperationError
from trading.events import CandlesClosed
from trading.exact_settings import rules_of
from trading.grid import CandleGrid
from trading.history import History
from trading.rules import Rules
from trading.settings import Settings, StrategySettings
from trading.signals import Signal
from trading.strategies.base import Strategy
from trading.strategies.evaluate import ABSENT, Evaluated, evaluate
from trading.strategies.lookahead import check_no_lookahead
from trading.strategies.registry import made_strategies
from trading.timeframe import timeframe_name

Progress = Callable[[str, int, int], None]
Chosen = Sequence[tuple[StrategySettings, Strategy]]


@dataclass(frozen=True)
class Simulation:
    """What to simulate: histories in the order of the settings, cut at their end, the rules, the
    strategies, the open time at which trading begins (earlier candles only warm up), and, for each
    history, the finer candles that its orders fill and its stops fire in, if there are any."""

    histories: Sequence[History]
    rules: Rules
    strategies: Chosen
    first_open_ms: int
    seed: int = 1
    details: Sequence[Detail | None] = ()


def simulation_of(
    settings: Settings,
    histories: Sequence[History],
    first_open_ms: int,
    details: Sequence[Detail | None] = (),
) -> Simulation:
    """The simulation that the settings ask for; raises AutotraderError for what cannot be simulated."""
    strategies = made_strategies(settings)
    markets = [history.market for history in histories]
    rules = rules_of(settings, markets, strategies, histories[0].timeframe_ms)
    return Simulation(histories, rules, strategies, first_open_ms, settings.feed.seed, details)


def shown_settings(settings: Settings) -> dict[str, Any]:
    """The settings that a simulation follows, as results show them: without addresses and secrets."""
    return settings.model_dump(mode="json", exclude={"exchange", "control", "database", "feed"})


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


def listen(simulation: Simulation, grid: CandleGrid, progress: Progress) -> Iterator[Voice]:
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
    asked = Asked.of(history, grid.first_ms, chosen, strategy)
    said = asked.answer()
    check_no_lookahead(
        strategy,
        history.market.symbol,
        timeframe_name(history.timeframe_ms),
        history.candles,
        said,
        simulation.seed,
        name=chosen.name,
        closes_before=asked.closes_before,
        every_candles=asked.every_candles,
    )
    return said


@dataclass(frozen=True)
class Asked:
    """A strategy asked about a whole history that begins so many closes after the anchor."""

    history: History
    name: str
    strategy: Strategy
    closes_before: int
    every_candles: int

    @classmethod
    def of(cls, history: History, anchor_ms: int, chosen: StrategySettings, strategy: Strategy) -> "Asked":
        """The question as the settings put it; `anchor_ms` is the run's first open time."""
        since_anchor_ms = int(history.open_times_ms[0]) - anchor_ms if history.candles.height else 0
        every = chosen.every_candles or strategy.every_candles
        return cls(history, chosen.name, strategy, since_anchor_ms // history.timeframe_ms, every)

    def answer(self) -> Evaluated:
        """What it says at every candle. Raises OperationError when it fails at each that it is asked."""
        symbol = self.history.market.symbol
        said = evaluate(
            self.strategy,
            symbol,
            timeframe_name(self.history.timeframe_ms),
            self.history.candles,
            closes_before=self.closes_before,
            every_candles=self.every_candles,
        )
        if said.errors and (said.sides == ABSENT).all():
            fault = next(iter(said.errors.values()))
            raise OperationError(f"strategy {self.name!r} fails at every candle of {symbol}: {fault}")
        return said
