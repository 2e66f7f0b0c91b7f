"""A real engine on random candles: the entries of a run, as a driver would store them."""

import random
from collections.abc import Iterator
from decimal import Decimal

from trading.candles import Candle, filled_candle
from trading.engine import Engine
from trading.events import (
    Abstention,
    AnyEvent,
    CandlesClosed,
    CloseAll,
    Kill,
    Pause,
    ResetKill,
    Resume,
    RunStarted,
    SignalsCollected,
)
from trading.journal import Entry
from trading.market import Market, market_units, quote_decimals, to_units
from trading.open_time import moments_of, reported, venue_orders
from trading.rules import PERCENT, WHOLE, Costs, Limits, Rules, Seat, VoteRules
from trading.signals import Signal, buy, hold, sell
from trading.simulated_venue import execute

HOUR_MS = 3_600_000
FIRST_OPEN_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
STRATEGIES = ("cross", "mood")


def rules_of(
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT"),
    capital: str = "10000",
    tick: str = "0.01",
    lot: str = "0.00001",
    timeframe_ms: int = HOUR_MS,
) -> Rules:
    """Rules that let much happen: wide stops on, a target, a trailing stop, two strategies."""
    markets = [Market(symbol, Decimal(tick), Decimal(lot)) for symbol in symbols]
    decimals = quote_decimals(markets, Decimal(capital))
    return Rules(
        quote="USDT",
        quote_decimals=decimals,
        initial_capital=to_units(Decimal(capital), decimals),
        timeframe_ms=timeframe_ms,
        markets=tuple(market_units(market, decimals) for market in markets),
        costs=Costs(fee_percent=PERCENT // 10, slippage_percent=PERCENT // 20),
        vote=VoteRules(confidence_threshold=50 * PERCENT, quorum=500_000),
        limits=Limits(
            position_size_percent=40 * PERCENT,
            stop_loss_percent=5 * PERCENT,
            trailing_stop_percent=4 * PERCENT,
            take_profit_percent=6 * PERCENT,
            daily_loss_limit_percent=3 * PERCENT,
            kill_switch_percent=50 * PERCENT,
            max_drawdown_percent=0,
            max_exposure_percent=WHOLE,
            min_order_notional=to_units(Decimal(10), decimals),
            max_open_positions=5,
            max_orders_per_minute=30,
            cooldown_candles_after_stop=2,
            max_gap_candles=60,
        ),
        seats=tuple(Seat(name, 1_000_000) for name in STRATEGIES),
    )


class RandomRun:
    """Drives an engine on a random walk; the same seed gives the same entries."""

    def __init__(self, rules: Rules, seed: int, commands: bool = True) -> None:
        self.started = RunStarted(rules, FIRST_OPEN_MS, FIRST_OPEN_MS)
        self.engine = Engine.start(self.started)
        self._random = random.Random(seed)
        self._commands = commands
        self._rules = rules
        self._open_time_ms = FIRST_OPEN_MS
        self._closes = {market.symbol: 2_000_000 for market in rules.markets}

    def entries(self, candles: int) -> list[Entry]:
        """The entries of the next open times."""
        return [entry for _ in range(candles) for entry in self._open_time()]

    def _open_time(self) -> Iterator[Entry]:
        closed = CandlesClosed(self._open_time_ms, tuple(map(self._candle, self._closes)))
        working = venue_orders(self.engine, closed)
        if working:
            state = self.engine.state
            executions = execute(working, state.cash, moments_of(closed), state.rules)
            yield self._handled(reported(self._open_time_ms, executions))
        yield self._handled(closed)
        yield self._handled(self._signals())
        if self._commands and self._random.random() < 0.05:
            for command in self._some_commands():
                yield self._handled(command)
        self._open_time_ms += self._rules.timeframe_ms

    def _handled(self, event: AnyEvent) -> Entry:
        decisions = tuple(self.engine.handle(event))
        return Entry(self.engine.state.sequence, event, decisions)

    def _candle(self, symbol: str) -> Candle:
        last = self._closes[symbol]
        if self._random.random() < 0.03:
            return filled_candle(symbol, last)
        opened, close = (max(1, round(last * self._random.gauss(1, 0.015))) for _ in range(2))
        high = max(opened, close) + self._random.randrange(5000)
        low = max(1, min(opened, close) - self._random.randrange(5000))
        self._closes[symbol] = close
        return Candle(symbol, opened, high, low, close, self._random.random() * 1e6)

    def _signals(self) -> SignalsCollected:
        signals, absent = [], []
        for symbol in self._closes:
            for strategy in STRATEGIES:
                if self._random.random() < 0.1:
                    absent.append(Abstention(strategy, symbol, "late"))
                else:
                    signals.append(self._signal(strategy, symbol))
        return SignalsCollected(self._open_time_ms, tuple(signals), tuple(absent))

    def _signal(self, strategy: str, symbol: str) -> Signal:
        confidence = round(self._random.uniform(40, 100), 6)
        said = self._random.choice(
            (hold(), buy(confidence, "SMA 20 over SMA 50", "RSI 27.4 under 30"), sell(confidence, "a cross"))
        )
        return Signal(said.side, said.confidence, said.reasons, strategy, symbol, self._open_time_ms)

    def _some_commands(self) -> list[AnyEvent]:
        time_ms = self._open_time_ms + self._rules.timeframe_ms
        name = f"{self.engine.state.sequence}"
        if self.engine.state.killed:
            return [ResetKill(request_id=name, by="test", time_ms=time_ms, why="a test")]
        if self.engine.state.paused:
            return [Resume(request_id=name, by="test", time_ms=time_ms)]
        pause = Pause(request_id=name, by="test", time_ms=time_ms)
        close_all = CloseAll(request_id=name, by="test", time_ms=time_ms)
        kill = Kill(request_id=name, by="test", time_ms=time_ms)
        return self._random.choice([[pause], [close_all], [kill]])


def batches(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    """The entries in groups, as a group commit stores them."""
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
