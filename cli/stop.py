"""`autotrader stop`: ends a running engine."""

import asyncio
import os
import time
from typing import TYPE_CHECKING

from cli.engine_command import Danger, Shell, engine_command
from trading.errors import OperationError

if TYPE_CHECKING:
    from autotrader.v1 import engine_pb2

GONE_SECONDS = 60.0
LOOK_SECONDS = 0.2


@engine_command(Danger("stop", "ends the engine; positions stay as they are"))
async def command(shell: Shell) -> None:
    """End the engine, everything stored, and wait until it is gone; the same `autotrader run` goes on."""
    from autotrader.v1 import engine_pb2

    before = (await shell.client.engine.GetStatus(engine_pb2.GetStatusRequest())).status
    answer = await shell.give(shell.client.engine.Stop, engine_pb2.StopRequest())
    shell.say(answer.result.message)
    until = time.monotonic() + GONE_SECONDS
    while not await _gone(shell, before):
        if time.monotonic() > until:
            raise OperationError(f"the engine is there still, {GONE_SECONDS:g} s after it was told to stop")
        await asyncio.sleep(LOOK_SECONDS)
    shell.say("stopped")
    shell.document(answer, gone=True)


async def _gone(shell: Shell, before: "engine_pb2.EngineStatus") -> bool:
    """Whether nothing answers there, or another start of the engine does, and its processes have ended."""
    from autotrader.v1 import engine_pb2
    from tui.client import ClientError, NoEngine

    try:
        status = (await shell.client.engine.GetStatus(engine_pb2.GetStatusRequest())).status
    except NoEngine:
        return not shell.client.local or not any(_lives(each.process_id) for each in before.actors)
    except ClientError:
        # It is on its way out.
        return False
    return status.started_at != before.started_at


def _lives(process_id: int) -> bool:
    if not process_id:
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
