"""`autotrader limits`: the limits, how much of each is used, and changing them."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command
from cli.options import default_group
from trading.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autotrader.v1 import risk_pb2

command = default_group("Risk limits of the running engine: show and change them.", "show")


@command.command()
@engine_command()
async def show(shell: Shell) -> None:
    """Show every limit and how much of it is used (this is done without a subcommand too)."""
    from autotrader.v1 import risk_pb2

    answer = await shell.client.risk.GetLimits(risk_pb2.GetLimitsRequest())
    shell.document(answer)
    if not shell.as_json:
        _print(answer.limits)


@command.command("set")
@engine_command()
async def set_(
    shell: Shell,
    changes: Annotated[
        list[str], typer.Argument(metavar="NAME VALUE ...", help="Such as daily_loss_limit_percent 10.")
    ],
) -> None:
    """Change limits at once; stored, and in force until `autotrader config reset`."""
    from autotrader.v1 import risk_pb2

    if len(changes) % 2:
        raise InputError(
            f"NAME VALUE: {changes[-1]!r} has no value; give each limit as its name and its value"
        )
    pairs = zip(changes[::2], changes[1::2], strict=True)
    request = risk_pb2.UpdateLimitsRequest(
        changes=[risk_pb2.LimitChange(name=name.removeprefix("risk."), value=value) for name, value in pairs],
        reauthentication=await shell.proof(),
    )
    answer = await shell.give(shell.client.risk.UpdateLimits, request)
    shell.told(answer)
    if not shell.as_json:
        named = {each.name for each in request.changes}
        _print([limit for limit in answer.limits if limit.name in named])


def _print(limits: "Sequence[risk_pb2.Limit]") -> None:
    from cli.output import print_table

    columns = ("limit", ">value", ">used", ">share", "what it does")
    print_table("", columns, map(_row, limits))


def _row(each: "risk_pb2.Limit") -> tuple[str, ...]:
    from cli.engine_words import used_words
    from tui import text

    value = "off" if each.off else text.number(each.value)
    share = f"{each.used_percent:.0f} %" if each.HasField("used_percent") else text.NONE
    changed = " (changed at run time)" if each.changed else ""
    return each.name, value, used_words(each.used), share, each.summary + changed
