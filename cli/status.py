"""`autotrader status`: everything that matters in one look."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command

if TYPE_CHECKING:
    from autotrader.v1 import engine_pb2, portfolio_pb2, risk_pb2

LINE_SECONDS = 1.0


@engine_command()
async def command(
    shell: Shell,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="A line (--json: a document) as it changes.")
    ] = False,
) -> None:
    """Show how the engine stands: mode, money, positions, votes, limits, health."""
    from autotrader.v1 import engine_pb2, portfolio_pb2, risk_pb2

    if follow:
        await _follow(shell)
        return
    client = shell.client
    answer = await client.engine.GetStatus(engine_pb2.GetStatusRequest())
    if shell.as_json:
        shell.document(answer)
        return
    held, limits = await asyncio.gather(
        client.portfolio.ListPositions(portfolio_pb2.ListPositionsRequest()),
        client.risk.GetLimits(risk_pb2.GetLimitsRequest()),
    )
    _show(answer.status, held.positions, limits.limits)


async def _follow(shell: Shell) -> None:
    """At most a line a second, of the newest status, until it is interrupted."""
    from autotrader.v1 import engine_pb2, event_pb2
    from cli.following import messages, print_line

    newest: engine_pb2.EngineStatus | None = None
    said_at = 0.0
    async for message in messages(shell, event_pb2.TOPIC_STATUS):
        for event in message.events:
            newest = event.status
        if newest is not None and time.monotonic() - said_at >= LINE_SECONDS:
            print_line(shell, engine_pb2.GetStatusResponse(status=newest), _line(newest))
            newest, said_at = None, time.monotonic()


def _line(status: "engine_pb2.EngineStatus") -> str:
    from cli.engine_words import profit_words, vote_words
    from tui import text

    votes = ", ".join(
        f"{each.symbol} {vote_words(each.outcome, each.score_percent)}" for each in status.symbols
    )
    today = profit_words(status.day_result_quote, status.day_result_percent)
    return (
        f"{text.moment(status.open_time)}  {_state(status)}  {text.number(status.equity_quote, 2)} "
        f"{status.quote}, today {today}  {status.open_positions} open  {votes}"
    )


def _show(
    status: "engine_pb2.EngineStatus",
    held: "Sequence[portfolio_pb2.Position]",
    limits: "Sequence[risk_pb2.Limit]",
) -> None:
    from cli.output import print_table, printable

    _show_mode(status)
    for line in (*_warnings(status, held), *_money(status), *_actors(status)):
        print(printable(line))
    positions = {each.symbol: each for each in held}
    columns = ("symbol", ">close", "vote", "position", ">stop", ">result")
    print_table("", columns, (_symbol(each, positions.get(each.symbol)) for each in status.symbols))
    used = [each for each in limits if each.HasField("used_percent")]
    print_table("", ("limit", ">used", ">of", ">share"), map(_limit, used))


def _show_mode(status: "engine_pb2.EngineStatus") -> None:
    """The mode with its exchange; real money stands on red where the terminal has colours."""
    from rich.text import Text

    from autotrader.v1 import engine_pb2
    from cli.engine_words import MODES
    from cli.output import console, printable

    words = MODES.get(status.mode, "UNKNOWN MODE")
    at = f" on {status.exchange}" if status.exchange else ""
    loud = "bold white on red" if status.mode == engine_pb2.TRADING_MODE_LIVE else ""
    line = Text(printable(words + at), style=loud) + Text(f" ({printable(status.feed)})", style="")
    console().print(line, soft_wrap=True)


def _state(status: "engine_pb2.EngineStatus") -> str:
    from tui.words import STATES, UNKNOWN

    return STATES.get(status.state, UNKNOWN).word


def _warnings(status: "engine_pb2.EngineStatus", held: "Sequence[portfolio_pb2.Position]") -> list[str]:
    from autotrader.v1 import portfolio_pb2
    from tui import text
    from tui.words import protection_words

    lines = [
        f"{_state(status)}  run {status.run_id}, version {status.version}, "
        f"up since {text.moment(status.started_at)} UTC"
    ]
    if status.failure:
        lines.append(f"HALTED ON A FAULT: {status.failure}")
    if status.killed:
        lines.append(f"KILL SWITCH THROWN: {status.killed}; `autotrader reset-kill` lifts it")
    lines += [f"  still to do: {step}" for step in status.kill_steps]
    missing = [each for each in held if each.protection == portfolio_pb2.PROTECTION_MISSING]
    lines += [
        f"{each.symbol}: {protection_words(each)} UTC; the engine watches the price" for each in missing
    ]
    if status.unreconciled:
        lines.append(f"BOOKS NOT RECONCILED: {status.unreconciled}; no entries until they are")
    lines += [f"{each.symbol} BLOCKED: {each.blocked}" for each in status.symbols if each.blocked]
    if status.day_blocked:
        lines.append(f"DAY'S LOSS LIMIT REACHED: no entries until {text.moment(status.day_end)} UTC")
    return lines


def _money(status: "engine_pb2.EngineStatus") -> list[str]:
    from tui import text
    from tui.words import external_words

    quote = status.quote
    rows = [
        (
            "equity",
            text.number(status.equity_quote, 2),
            f"{text.signed(status.total_return_percent)} % of {text.number(status.initial_capital_quote, 2)}",
        ),
        ("today", text.signed(status.day_result_quote), f"{text.signed(status.day_result_percent)} %"),
        (
            "cash",
            text.number(status.cash_quote, 2),
            f"{status.open_positions} open, {status.trades:,} closed",
        ),
    ]
    lines = [f"{name:<8}{money:>16} {quote}  {more}" for name, money, more in rows]
    newest = f"{text.moment(status.open_time)} UTC ({status.timeframe}, {status.candles:,} handled)"
    if status.external:
        lines.append(f"{'external':<9}{external_words(status)} (not the engine's)")
    return ["", *lines, f"{'candle':<8}{newest}, seen {text.second(status.candle_seen_at)[11:]}"]


def _actors(status: "engine_pb2.EngineStatus") -> list[str]:
    """Those that are not well, and what the others say of themselves."""
    from autotrader.v1 import engine_pb2
    from tui import text
    from tui.words import HEALTHS, UNKNOWN

    ill = [each for each in status.actors if each.health != engine_pb2.HEALTH_OK or each.note]
    words = [
        f"{each.name} {HEALTHS.get(each.health, UNKNOWN).word}{': ' if each.note else ''}{each.note}"
        for each in ill
    ]
    lines = [f"{'actors':<8}" + ("; ".join(words) or f"all {len(status.actors)} are well")]
    for each in status.actors:
        facts = ", ".join(f"{text.readable(fact.name)} {fact.value}" for fact in each.facts)
        lines += [f"  {each.name}: {facts}"] if facts else []
    return lines


def _symbol(each: "engine_pb2.SymbolStatus", position: "portfolio_pb2.Position | None") -> tuple[str, ...]:
    from autotrader.v1 import portfolio_pb2
    from cli.engine_words import vote_words
    from tui import text
    from tui.words import protection_words

    vote = vote_words(each.outcome, each.score_percent) if each.outcome else text.NONE
    refused = f"\nrefused: {each.refusal}" if each.refusal else ""
    cells = (each.symbol, text.price(each.last_price_quote), vote + refused)
    if position is None:
        return (*cells, "flat", "", "")
    by_engine = position.protection == portfolio_pb2.PROTECTION_ENGINE
    guard = "" if by_engine else protection_words(position)
    held = f"{text.number(position.amount_base)} at {text.price(position.entry_price_quote)}"
    return (
        *cells,
        "\n".join(filter(None, (held, "closing" * position.closing, guard))),
        text.price(position.stop_quote),
        text.signed(position.unrealized_profit_quote),
    )


def _limit(each: "risk_pb2.Limit") -> tuple[str, ...]:
    from cli.engine_words import used_words
    from tui import text

    return each.name, used_words(each.used), text.number(each.value), f"{each.used_percent:.0f} %"
