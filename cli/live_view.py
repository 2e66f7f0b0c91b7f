"""What a person sees while the engine runs: a table that lives on a terminal, lines elsewhere."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from actors.launch import RunningEngine, started, state_of
from actors.persistence.runs import Mode
from actors.ports import ActorLost
from actors.risk import Progress
from actors.spawn import RayDied, dead_process
from backtest.records import Records, votes_text
from backtest.results import run_result, write_results
from cli.output import plain
from cli.run_plans import Planned
from trading.candles import Candle
from trading.decisions import OutcomeDecided
from trading.errors import OperationError
from trading.ledger import Trade
from trading.market import Market, MarketUnits
from trading.state import EngineState
from trading.timeframe import iso

if TYPE_CHECKING:
    from rich.table import Table

LOOK_SECONDS = 0.25
LINE_SECONDS = 5.0
START_SECONDS = 90.0


def follow(planned: Planned, ray_ready: Callable[[], None]) -> None:
    """Run a plan, once Ray is there, until it ends or is interrupted; then write its result files.

    Raises OperationError when the engine halts, KeyboardInterrupt when a replay was interrupted.
    """
    since = time.monotonic()
    print(f"starting: {planned.title}", file=sys.stderr, flush=True)
    ray_ready()
    with started(planned.plan) as engine:
        interrupted = _Interrupt()
        progress = _watch(planned, engine, interrupted, since)
    if progress is not None and progress.failure:
        raise OperationError(progress.failure)
    finished = progress is not None and progress.finished
    replay = planned.run.mode is Mode.REPLAY
    if planned.out is not None and (finished or not replay):
        _write(planned, planned.out, finished)
    elif not finished:
        print("stopped; the same command goes on from here", file=sys.stderr)
    if interrupted.seen and not finished and replay:
        raise KeyboardInterrupt


class _Interrupt:
    """Remembers Ctrl-C and SIGTERM, so that everything is stored before the end.

    To be made after Ray has started, which puts handlers of its own in their place.
    """

    def __init__(self) -> None:
        self.seen = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True


def _watch(planned: Planned, engine: RunningEngine, interrupted: _Interrupt, since: float) -> Progress | None:
    """Look at the engine until it ends; its last progress."""
    view = _Live(planned) if sys.stdout.isatty() else _Lines()
    latest: Progress | None = None
    seen_at = time.monotonic()
    told = not planned.plan.companions
    with view:
        while not interrupted.seen:
            dead = dead_process()
            if dead:
                raise RayDied(f"Ray's {dead} has died, and the engine with it")
            try:
                latest = engine.progress()
                seen_at = time.monotonic()
            except ActorLost:
                if time.monotonic() - seen_at > START_SECONDS:
                    raise OperationError(f"the engine did not answer for {START_SECONDS:g} s") from None
            if latest is not None:
                view.show(latest, time.monotonic() - since)
                if latest.finished or latest.failure or engine.stop_asked():
                    break
                if not told and (latest.candles or (latest.state and planned.plan.rules.live)):
                    told = _tell_addresses(planned, engine)
            time.sleep(LOOK_SECONDS)
    return latest


def _tell_addresses(planned: Planned, engine: RunningEngine) -> bool:
    """Say where the control plane listens; whether it does already. Raises OperationError when it cannot."""
    for companion in planned.plan.companions:
        try:
            addresses = engine.companion(companion.name)
        except ActorLost:
            return False
        print(
            f"control plane: {addresses.grpc} (try `autotrader console`); web: {addresses.web}",
            file=sys.stderr,
            flush=True,
        )
    return True


class _Lines:
    """For a file or a pipe: a line when a position changes, and one every few seconds."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._said_at = 0.0
        self._trades_said = 0

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, progress: Progress, seconds: float) -> None:
        """Print what is new."""
        state = state_of(progress)
        if state is None:
            return
        for trade in _new(progress, self._trades_said):
            print(trade_line(state, trade), flush=True)
        self._trades_said = progress.trades_closed
        held = {position.symbol: position.amount for position in state.positions()}
        due = seconds - self._said_at >= LINE_SECONDS
        if held != self._held or due or progress.finished:
            self._held, self._said_at = held, seconds
            print(status_line(state, progress), flush=True)


class _Live:
    """For a terminal: one table, redrawn in place."""

    def __init__(self, planned: Planned) -> None:
        from rich.live import Live

        from cli.output import console

        self._planned = planned
        self._live = Live(console=console(), refresh_per_second=4)

    def __enter__(self) -> "_Live":
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, progress: Progress, seconds: float) -> None:
        """Redraw."""
        state = state_of(progress)
        if state is not None:
            self._live.update(_table(self._planned, state, progress, seconds))


def status_line(state: EngineState, progress: Progress) -> str:
    """Candle, outcomes, positions and equity in one line."""
    if state.open_time_ms < 0:
        return "waiting for the first candle"
    votes = ", ".join(_outcome_words(decision) for decision in _outcomes(progress))
    return (
        f"{_newest(state)}  {votes or 'no vote yet'}  "
        f"{_positions_words(state) or 'flat'}  equity {_money(state, state.equity)} {state.rules.quote}"
        f"{_switches_words(state)}  ({progress.candles} candles)"
    )


def _table(planned: Planned, state: EngineState, progress: Progress, seconds: float) -> "Table":
    from rich import box
    from rich.table import Table

    rate = progress.candles / seconds if seconds else 0.0
    table = Table(
        title=planned.title,
        caption="\n".join(
            [
                *(trade_line(state, trade) for trade in progress.trades),
                f"{progress.candles:,} candles, {rate:,.1f} a second, {progress.trades_closed} trades; "
                "Ctrl-C stops, the same command goes on",
            ]
        ),
        box=box.SIMPLE_HEAD,
        title_style="bold red" if planned.run.mode is Mode.LIVE else None,
        title_justify="left",
        caption_justify="left",
    )
    for column in ("symbol", "candle", "close", "vote", "position", "result"):
        table.add_column(column)
    outcomes = {decision.symbol: decision for decision in _outcomes(progress)}
    for market in state.rules.markets:
        table.add_row(*_row(state, market, outcomes.get(market.symbol)))
    change = 100 * (state.equity - state.rules.initial_capital) / state.rules.initial_capital
    table.add_section()
    table.add_row(
        "equity",
        _newest(state),
        _money(state, state.equity),
        "",
        _switches_words(state).strip(),
        f"{change:+.2f} %",
    )
    return table


def _new(progress: Progress, said: int) -> tuple[Trade, ...]:
    """The trades that closed after so many were shown."""
    unseen = progress.trades_closed - said
    return progress.trades[-unseen:] if unseen > 0 else ()


def trade_line(state: EngineState, trade: Trade) -> str:
    """A closed trade in one line."""
    market = next(market for market in state.rules.markets if market.symbol == trade.symbol)
    profit = f"{_money(state, trade.realized_profit)} {state.rules.quote}"
    percent = 100 * trade.realized_profit / trade.entry_notional
    return (
        f"{iso(trade.exit_time_ms)}  sold {plain(market.amount(trade.amount))} {trade.symbol} at "
        f"{plain(market.price(trade.exit_price))}, bought at {plain(market.price(trade.entry_price))} "
        f"({trade.exit_reason}): {profit}, {percent:+.2f} %"
    )


def _row(state: EngineState, market: MarketUnits, decided: OutcomeDecided | None) -> list[str]:
    symbol = state.symbols[market.symbol]
    cells = [market.symbol, _newest(state), plain(market.price(symbol.last_close))]
    cells.append(
        f"{_outcome_words(decided, named=False)}\n{votes_text(decided.outcome.votes)}" if decided else "-"
    )
    position = symbol.position
    if position is None:
        return [*cells, "entry waits" if symbol.entry else "flat", ""]
    profit = market.notional(symbol.last_close, position.amount) - position.entry_notional
    stop = f", stop {plain(market.price(position.stop))}" if position.stop else ""
    held = f"{plain(market.amount(position.amount))} at {plain(market.price(position.entry_price))}{stop}"
    return [*cells, held, f"{100 * profit / position.entry_notional:+.2f} %"]


def _outcomes(progress: Progress) -> list[OutcomeDecided]:
    return [decision for decision in progress.latest if isinstance(decision, OutcomeDecided)]


def _outcome_words(decided: OutcomeDecided, named: bool = True) -> str:
    outcome = decided.outcome
    name = f"{decided.symbol} " if named else ""
    return f"{name}{outcome.side} {outcome.score_percent:.0f} %"


def _positions_words(state: EngineState) -> str:
    held = {position.symbol: position for position in state.positions()}
    return ", ".join(
        f"{plain(market.amount(position.amount))} {market.symbol} at "
        f"{plain(market.price(position.entry_price))}"
        for market in state.rules.markets
        if (position := held.get(market.symbol)) is not None
    )


def _switches_words(state: EngineState) -> str:
    on = [("KILLED", state.killed), ("PAUSED", state.paused), ("day's loss limit", state.day_blocked)]
    words = ", ".join(word for word, is_on in on if is_on)
    return f"  [{words}]" if words else ""


def _newest(state: EngineState) -> str:
    return iso(state.open_time_ms) if state.open_time_ms >= 0 else "-"


def _money(state: EngineState, units: int) -> str:
    return f"{units / 10**state.rules.quote_decimals:,.2f}"


def _write(planned: Planned, out: Path, finished: bool) -> None:
    """Write the result files from what is stored, and say how it went."""
    from actors.persistence.reader import Reader
    from backtest.report.run import write_run_report
    from cli.summary import print_summary
    from trading.events import CandlesClosed
    from trading.history import history_of

    records = Records()
    seen: dict[str, list[tuple[int, Candle]]] = {market.symbol: [] for market in planned.run.rules.markets}
    reader = Reader.open(planned.plan.database_url)
    try:
        for entry in reader.entries(planned.run.id):
            if isinstance(entry.event, CandlesClosed):
                records.see(entry.event)
                for candle in entry.event.candles:
                    seen[candle.symbol].append((entry.event.open_time_ms, candle))
            records.take(entry.decisions)
    finally:
        reader.close()
    if not records.equity:
        return
    result = run_result(planned.run.rules, records, planned.settings)
    write_results(result, out)
    rules = planned.run.rules
    histories = [
        history_of(Market(each.symbol, each.tick, each.lot), rules.timeframe_ms, seen[each.symbol])
        for each in rules.markets
    ]
    write_run_report(result, histories, out / "report.html", simulated=planned.simulated)
    print_summary(result, planned.title[:1].upper() + planned.title[1:])
    print(f"Results are in {out}" + ("" if finished else "; the run goes on with the same command"))
