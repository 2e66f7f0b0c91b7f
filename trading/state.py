"""Everything the engine knows between two events; a snapshot is this and nothing else."""

from collections.abc import Iterator

from msgspec import Struct, field

from trading.candles import Holes
from trading.ledger import Position
from trading.live_state import Books, LiveSymbol
from trading.orders import Order
from trading.rules import Rules
from trading.signals import Signal
from trading.timeframe import midnight_after


class SymbolState(Struct):
    """One symbol: its newest candle, its holes, its position and waiting orders, its signals.

    `present` and `real` speak of the newest open time; `cooldown_until_ms` is the first open time
    at which an entry is allowed again after a stop.
    """

    symbol: str
    last_close: int = 0
    present: bool = False
    real: bool = False
    holes: Holes = field(default_factory=Holes)
    position: Position | None = None
    entry: Order | None = None
    exit: Order | None = None
    cooldown_until_ms: int = 0
    signals: dict[str, Signal] = {}
    live: LiveSymbol | None = None


class EngineState(Struct):
    """The account: its rules, money in quote units, the day, the switches, and every symbol.

    `rules` are those in force: limits and strategies may change while running. `sequence` counts
    the events that were handled; `voted_ms` is the open time of the
    last vote; `killed` says why, or is empty; `entries_ms` are the times of the
    entries of the last minute; `warned` the limits already warned about; `requests` the newest
    commands that were done, by their request id. Only a live run has `live` and `books`.
    """

    rules: Rules
    sequence: int
    cash: int
    reference: int
    peak: int
    day_base: int
    symbols: dict[str, SymbolState]
    anchor_ms: int = 0
    open_time_ms: int = -1
    voted_ms: int = -1
    equity: int = 0
    day_end_ms: int = 0
    day_blocked: bool = False
    paused: bool = False
    killed: str = ""
    verified_flat: bool = False
    entries_ms: list[int] = []
    warned: set[str] = set()
    requests: dict[str, str] = {}
    books: Books | None = None

    def positions(self) -> Iterator[Position]:
        """The open positions, in the order of the settings."""
        for each in self.symbols.values():
            if each.position is not None:
                yield each.position

    def reserved(self) -> int:
        """What waiting entries will cost at their sizing price, fee included."""
        return sum(each.entry.reserved for each in self.symbols.values() if each.entry is not None)

    def flat(self) -> bool:
        """Whether nothing is held and nothing waits."""
        return all(
            each.position is None
            and each.entry is None
            and each.exit is None
            and (each.live is None or not each.live.orders())
            for each in self.symbols.values()
        )


def first_state(rules: Rules, anchor_ms: int, first_open_ms: int, holes: dict[str, Holes]) -> EngineState:
    """The account at the start of a run: all cash, the first day's base is the initial capital."""
    return EngineState(
        rules=rules,
        sequence=0,
        cash=rules.initial_capital,
        reference=rules.initial_capital,
        peak=rules.initial_capital,
        day_base=rules.initial_capital,
        equity=rules.initial_capital,
        symbols={
            market.symbol: SymbolState(
                market.symbol,
                holes=holes.get(market.symbol, Holes()),
                live=LiveSymbol() if rules.live else None,
            )
            for market in rules.markets
        },
        anchor_ms=anchor_ms,
        day_end_ms=midnight_after(first_open_ms),
        books=Books() if rules.live else None,
    )
