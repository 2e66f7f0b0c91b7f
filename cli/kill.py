"""`autotrader kill` and `autotrader reset-kill`: the kill switch."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Danger, Shell, engine_command

if TYPE_CHECKING:
    from autotrader.v1 import engine_pb2

FLAT_SECONDS = 30.0
LOOK_SECONDS = 0.2
FAILED = 1


@engine_command(Danger("kill", "cancels every order, sells every position and stops trading"))
async def kill(
    shell: Shell,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the log and the audit trail.")] = "",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until everything is sold.")] = False,
) -> int | None:
    """Throw the kill switch, and wait until nothing is held; 1 when that takes over 30 s."""
    from autotrader.v1 import engine_pb2

    answer = await shell.give(shell.client.engine.Kill, engine_pb2.KillRequest(reason=reason))
    shell.say(f"thrown: {answer.result.message}")
    if no_wait:
        shell.document(answer)
        return None
    flat = await _sold(shell)
    shell.document(answer, flat=flat)
    return None if flat else FAILED


@engine_command(Danger("reset-kill", "lets the engine trade again"))
async def reset_kill(
    shell: Shell,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why trading may go on.")],
) -> None:
    """Lift the kill switch; the equity of this moment is the new reference."""
    from autotrader.v1 import engine_pb2

    request = engine_pb2.ResetKillSwitchRequest(reason=reason, reauthentication=await shell.proof())
    shell.told(await shell.give(shell.client.engine.ResetKillSwitch, request))


async def _sold(shell: Shell) -> bool:
    """Follow the status until the venue holds nothing; says each step."""
    from autotrader.v1 import engine_pb2
    from tui import text

    until, said = time.monotonic() + FLAT_SECONDS, ""
    while time.monotonic() < until:
        status = await _status(shell)
        if status is not None and status.state == engine_pb2.ENGINE_STATE_KILLED:
            equity = text.number(status.equity_quote, 2)
            shell.say(f"flat: verified, nothing is held; equity {equity} {status.quote}")
            return True
        step = "the engine does not answer" if status is None else _step(status)
        if step != said:
            shell.say(step)
            said = step
        await asyncio.sleep(LOOK_SECONDS)
    shell.say(
        f"NOT FLAT after {FLAT_SECONDS:g} s; the switch stays thrown, `autotrader positions` shows the rest"
    )
    return False


async def _status(shell: Shell) -> "engine_pb2.EngineStatus | None":
    """How it stands; None while it is away."""
    from autotrader.v1 import engine_pb2
    from tui.client import Unreachable

    try:
        return (await shell.client.engine.GetStatus(engine_pb2.GetStatusRequest())).status
    except Unreachable:
        return None


def _step(status: "engine_pb2.EngineStatus") -> str:
    if status.failure:
        return f"the engine has halted: {status.failure}"
    count = status.open_positions
    held = f"selling: {count} position{'s' if count != 1 else ''}"
    return held if count else "sold; asking the venue whether anything is left"
