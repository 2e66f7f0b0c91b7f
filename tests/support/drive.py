"""Drives a real engine over a random case, as every product driver does."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from backtest.records import Records
from tests.oracle.strategies import Case
from trading.candles import Candle, Holes
from trading.decisions import AnyDecision
from trading.engine import Engine
from trading.errors import InputError
from trading.events import (
    AnyEvent,
    CandlesClosed,
    CloseAll,
    ClosePosition,
    Kill,
    Pause,
    ResetKill,
    Resume,
    RunStarted,
    SignalsCollected,
)
from trading.market import Market, market_units, quote_decimals, to_units
from trading.open_time import moments_of, reported, venue_orders
from trading.rules import Costs, Limits, Rules, Seat, VoteRules
from trading.signals import Side, Signal
from trading.simulated_venue import execute

Step = tuple[AnyEvent, list[AnyDecision]]


def case_rules(case: Case) -> Rules:
    """The rules of a case in the account's integers."""
    settings = case.settings
    markets = [Market(symbol, *settings["markets"][symbol]) for symbol in case.candles]
    capital, least = settings["initial_capital"], settings["min_order_notional_quote"]
    decimals = quote_decimals(markets, capital, least)
    counts = ("max_open_positions", "max_orders_per_minute", "cooldown_candles_after_stop", "max_gap_candles")
    limits = {
        name: settings[name] if name in counts else to_units(settings[name], 6)
        for name in Limits.__struct_fields__
        if name != "min_order_notional"
    }
    return Rules(
        quote="USDT",
        quote_decimals=decimals,
        initial_capital=to_units(capital, decimals),
        timeframe_ms=settings["timeframe_ms"],
        markets=tuple(market_units(market, decimals) for market in markets),
        costs=Costs(to_units(settings["fee_percent"], 6), to_units(settings["slippage_percent"], 6)),
        vote=VoteRules(to_units(settings["confidence_threshold"], 6), to_units(settings["quorum"], 6)),
        limits=Limits(min_order_notional=to_units(least, decimals), **limits),
        seats=tuple(
            Seat(
                each["name"],
                to_units(each["weight"], 6),
                each["enabled"],
                each["warmup_candles"],
                each["valid_candles"],
            )
            for each in settings["strategies"]
        ),
    )


def case_started(case: Case) -> RunStarted:
    """How the run of a case begins, with the holes before its range."""
    rules = case_rules(case)
    holes = {}
    for symbol, rows in case.candles.items():
        holes[symbol] = Holes()
        for row in rows:
            if row["time_ms"] < case.start_ms:
                holes[symbol].see(row["filled"], rules.limits.max_gap_candles)
    anchor = min(rows[0]["time_ms"] for rows in case.candles.values())
    times = [
        row["time_ms"] for rows in case.candles.values() for row in rows if row["time_ms"] >= case.start_ms
    ]
    return RunStarted(rules, anchor, min(times), holes)


def closes(case: Case) -> Iterator[CandlesClosed]:
    """The open times in range."""
    ticks = {symbol: case.settings["markets"][symbol][0] for symbol in case.candles}
    together: dict[int, list[Candle]] = {}
    for symbol, rows in case.candles.items():
        for row in rows:
            if row["time_ms"] >= case.start_ms:
                opened, high, low, last = [
                    int(Decimal(row[name]) / ticks[symbol]) for name in ("open", "high", "low", "close")
                ]
                candle = Candle(symbol, opened, high, low, last, float(row["volume"]), row["filled"])
                together.setdefault(row["time_ms"], []).append(candle)
    for time_ms in sorted(together):
        yield CandlesClosed(time_ms, tuple(together[time_ms]))


def signals_at(case: Case, closed: CandlesClosed) -> SignalsCollected:
    """What the voters of a case say of one open time."""
    said = []
    for voter in case.settings["strategies"]:
        for candle in closed.candles:
            found = case.signals.get((voter["name"], candle.symbol, closed.open_time_ms))
            if found is not None:
                side, confidence = found
                said.append(
                    Signal(
                        Side(side),
                        to_units(confidence, 6),
                        (),
                        voter["name"],
                        candle.symbol,
                        closed.open_time_ms,
                    )
                )
    return SignalsCollected(closed.open_time_ms, tuple(said))


def case_command(command: Any, time_ms: int, number: int) -> Any:
    """A command of a case as the engine takes it."""
    facts: dict[str, Any] = {"request_id": f"{time_ms}-{number}", "by": "test", "time_ms": time_ms}
    if isinstance(command, tuple):
        return ClosePosition(**facts, symbol=command[1])
    kinds = {"pause": Pause, "resume": Resume, "close_all": CloseAll, "kill": Kill}
    return ResetKill(**facts, why="test") if command == "reset_kill" else kinds[command](**facts)


def drive(
    case: Case, engine: Engine, between: Callable[[Engine], Engine] = lambda same: same
) -> Iterator[Step]:
    """Every event of a case with what was decided; `between` may replace the engine before any event."""
    rules = engine.state.rules
    for closed in closes(case):
        book = venue_orders(engine, closed)
        if book:
            happened = reported(
                closed.open_time_ms, execute(book, engine.state.cash, moments_of(closed), rules)
            )
            engine = between(engine)
            yield happened, engine.handle(happened)
        engine = between(engine)
        yield closed, engine.handle(closed)
        said = signals_at(case, closed)
        engine = between(engine)
        yield said, engine.handle(said)
        close_ms = closed.open_time_ms + rules.timeframe_ms
        for number, command in enumerate(case.commands.get(close_ms, [])):
            given = case_command(command, close_ms, number)
            engine = between(engine)
            try:
                yield given, engine.handle(given)
            except InputError:
                continue


def recorded(case: Case, between: Callable[[Engine], Engine] = lambda same: same) -> Records:
    """The records of a whole case."""
    records = Records()
    for event, decisions in drive(case, Engine.start(case_started(case)), between):
        if isinstance(event, CandlesClosed):
            records.see(event)
        records.take(decisions)
    return records
