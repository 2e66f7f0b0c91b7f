"""`autotrader logs`: what an operator should know, in words."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command
from cli.options import LimitOption, SinceOption, UntilOption

if TYPE_CHECKING:
    from autotrader.v1 import log_pb2

LEVELS = ("info", "warning", "alarm")


@engine_command()
async def command(
    shell: Shell,
    level: Annotated[
        str, typer.Option(metavar="LEVEL", help=f"This and louder: {', '.join(LEVELS)}.")
    ] = "info",
    source: Annotated[
        str, typer.Option(metavar="NAME", help="Only lines of engine, risk, control, ...")
    ] = "",
    contains: Annotated[str, typer.Option(metavar="TEXT", help="Only lines with this text.")] = "",
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines (--json: a document each).")
    ] = False,
) -> None:
    """Show the newest lines of the log, the newest last (with --json first)."""
    from autotrader.v1 import log_pb2
    from cli.filters import one_of, time_range
    from trading.errors import InputError
    from tui.words import LOG_LEVELS

    if follow and until is not None:
        raise InputError("--to: cannot stand beside --follow")
    numbers = {word.word.lower(): number for number, word in LOG_LEVELS.items()}
    request = log_pb2.ListLogEntriesRequest(
        least_level=numbers[one_of("--level", level, LEVELS)],
        source=source,
        contains=contains,
        range=time_range(since, until),
    )
    if follow:
        await _follow(shell, request, limit)
        return
    answer = await _read(shell, request, limit)
    if shell.as_json:
        shell.document(answer)
        return
    if not answer.entries:
        shell.say("no line of the log fits")
    for entry in reversed(answer.entries):
        shell.say(_line(entry))


async def _read(
    shell: Shell, request: "log_pb2.ListLogEntriesRequest", limit: int
) -> "log_pb2.ListLogEntriesResponse":
    request.page.token = ""
    answer: log_pb2.ListLogEntriesResponse = await shell.pages(
        shell.client.logs.ListLogEntries, request, "entries", limit
    )
    return answer


async def _follow(shell: Shell, request: "log_pb2.ListLogEntriesRequest", limit: int) -> None:
    """The list first, then the stream; the list again where the stream had to skip."""
    from autotrader.v1 import event_pb2
    from cli.following import messages, print_line

    newest, listed = 0, False
    async for message in messages(shell, event_pb2.TOPIC_LOGS):
        entries = [event.log_entry for event in message.events]
        if not listed or message.skipped:
            entries = [*reversed((await _read(shell, request, limit)).entries), *entries]
            listed = True
        for entry in entries:
            if entry.id > newest and _wanted(entry, request):
                newest = entry.id
                print_line(shell, entry, _line(entry))


def _wanted(entry: "log_pb2.LogEntry", request: "log_pb2.ListLogEntriesRequest") -> bool:
    """What the list filters, of the stream."""
    return (
        entry.level >= request.least_level
        and request.source in ("", entry.source)
        and request.contains.casefold() in entry.text.casefold()
    )


def _line(entry: "log_pb2.LogEntry") -> str:
    from tui import text
    from tui.words import LOG_LEVELS, UNKNOWN

    level = LOG_LEVELS.get(entry.level, UNKNOWN).word
    return f"{text.second(entry.time)}  {level:<7}  {entry.source}: {entry.text}"
