"""Small accounts for tests: rules with round numbers, and an engine driven candle by candle."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from trading.candles import Candle, filled_candle
from trading.decisions import AnyDecision, OutcomeDecided, Refusal, Refused
from trading.engine import Engine
from trading.events import AnyEvent, CandlesClosed, Kill, Pause, RunStarted, SignalsCollected
from trading.journal import Entry
from trading.market import Market, MarketUnits, market_units, quote_decimals, to_units
from trading.open_time import moments_of, reported, venue_orders
from trading.orders import Fill, Reason
from trading.rules import PERCENT, WHOLE, Costs, Limits, Rules, Seat, VoteRules
from trading.signals import Side, Signal, buy, hold, sell
from trading.simulated_venue import execute

BTC, ETH = "BTC/USDT", "ETH/USDT"
HOUR_MS = 3_600_000
START_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
FREE = Costs(0, 0)
USUAL = Costs(fee_percent=PERCENT // 10, slippage_percent=PERCENT // 20)
SAID = {"BUY": buy(100), "SELL": sell(100), "HOLD": hold(100)}

WIDE = Limits(
    position_size_percent=10 * PERCENT,
    stop_loss_percent=0,
    trailing_stop_percent=0,
    take_profit_percent=0,
    daily_loss_limit_percent=WHOLE,
    kill_switch_percent=WHOLE,
    max_drawdown_percent=0,
    max_exposure_percent=WHOLE,
    min_order_notional=0,
    max_open_positions=5,
    max_orders_per_minute=30,
    cooldown_candles_after_stop=0,
    max_gap_candles=60,
)


def units_of(tick: str = "1", lot: str = "0.001", minimum: str = "1", symbol: str = BTC) -> MarketUnits:
    """A market of its own, in its integers."""
    market = Market(symbol, Decimal(tick), Decimal(lot), Decimal(minimum))
    return market_units(market, quote_decimals([market]))


def rules_with(
    symbols: Iterable[str] = (BTC,),
    costs: Costs = FREE,
    capital: str = "1000",
    timeframe_ms: int = HOUR_MS,
    seats: tuple[Seat, ...] = (Seat("cross", 1_000_000),),
    **limits: int,
) -> Rules:
    """Rules without costs and with every limit out of the way, but for those given."""
    markets = tuple(units_of(symbol=symbol) for symbol in symbols)
    return Rules(
        quote="USDT",
        quote_decimals=8,
        initial_capital=to_units(Decimal(capital), 8),
        timeframe_ms=timeframe_ms,
        markets=markets,
        costs=costs,
        vote=VoteRules(50 * PERCENT, 500_000),
        limits=replace(WIDE, **limits),
        seats=seats,
    )


def candle(symbol: str, *prices: int) -> Candle:
    """A candle from open, high, low and close; from one price a flat one."""
    opened, high, low, close = prices if len(prices) == 4 else prices * 4
    return Candle(symbol, opened, high, low, close, 1.0)


def fill(
    side: Side, amount: int, price: int, fee: int = 0, symbol: str = BTC, time_ms: int = START_MS
) -> Fill:
    """A fill at a venue."""
    name = f"{time_ms}-{symbol}-{side}"
    return Fill(f"{name}@", name, symbol, side, amount, price, fee, time_ms, Reason.SIGNAL)


class Account:
    """An engine and its clock. `entries` is the journal of all that it was given."""

    def __init__(self, rules: Rules, first_open_ms: int = START_MS) -> None:
        started = RunStarted(rules, first_open_ms, first_open_ms)
        self.engine = Engine.start(started)
        self.entries = [Entry(0, started)]
        self.open_time_ms = first_open_ms - rules.timeframe_ms

    def hour(self, prices: Mapping[str, Any], **said: str) -> list[AnyDecision]:
        """The next open time: each symbol's price, four prices, or None for a filled candle.

        `said` is what the strategy says by the base of the symbol: `BTC="BUY"`.
        """
        self.open_time_ms += self.engine.state.rules.timeframe_ms
        closed = CandlesClosed(self.open_time_ms, tuple(map(self._candle, prices, prices.values())))
        decisions = []
        book = venue_orders(self.engine, closed)
        if book:
            state = self.engine.state
            executions = execute(book, state.cash, moments_of(closed), state.rules)
            decisions += self.handle(reported(self.open_time_ms, executions))
        decisions += self.handle(closed)
        signals = tuple(self._signal(symbol, said) for symbol in prices if symbol.partition("/")[0] in said)
        return decisions + self.handle(SignalsCollected(self.open_time_ms, signals))

    def btc(self, *prices: int | None, said: str = "HOLD") -> list[AnyDecision]:
        """The next open time of BTC alone."""
        return self.hour({BTC: prices[0] if len(prices) == 1 else prices}, BTC=said)

    def handle(self, event: AnyEvent) -> list[AnyDecision]:
        """Give the engine an event and write it down."""
        decisions = self.engine.handle(event)
        self.entries.append(Entry(self.engine.state.sequence, event, tuple(decisions)))
        return decisions

    def command(self, kind: Any, request_id: str = "", **facts: Any) -> list[AnyDecision]:
        """An operator's command, after the newest close."""
        name = request_id or f"request-{self.engine.state.sequence}"
        return self.handle(kind(request_id=name, by="ann", time_ms=self.open_time_ms, **facts))

    def kill(self) -> list[AnyDecision]:
        """Throw the switch."""
        return self.command(Kill)

    def pause(self) -> list[AnyDecision]:
        """Take no entries."""
        return self.command(Pause)

    def _candle(self, symbol: str, prices: Any) -> Candle:
        if prices is None:
            return filled_candle(symbol, self.engine.state.symbols[symbol].last_close)
        return candle(symbol, *(prices if isinstance(prices, tuple) else (prices,)))

    def _signal(self, symbol: str, said: Mapping[str, str]) -> Signal:
        signal = SAID[said[symbol.partition("/")[0]]]
        return replace(signal, strategy="cross", symbol=symbol, open_time_ms=self.open_time_ms)


def of_kind(decisions: Iterable[AnyDecision], kind: Any) -> list[Any]:
    """The decisions of one kind."""
    return [each for each in decisions if isinstance(each, kind)]


def refusals(decisions: Iterable[AnyDecision]) -> list[Refusal]:
    """Why entries were refused."""
    verdicts = [each.verdict for each in of_kind(decisions, OutcomeDecided)]
    return [verdict.reason for verdict in verdicts if isinstance(verdict, Refused)]
