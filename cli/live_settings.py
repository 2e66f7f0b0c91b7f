"""Changes of settings that a running engine takes at once: its limits, and its strategies' weights."""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from cli.engine_command import Shell, on_engine
from cli.stored_settings import Change

if TYPE_CHECKING:
    from tui.client import Client

CHANGEABLE = ("weight", "enabled")
RISK = "risk"


def changed_live(config: Path | None, change: Change) -> bool:
    """Change it through the control plane of the engine that runs on this database.

    False, and nothing is changed, where no such engine runs, or when it cannot change this while it runs.
    Raises AutotraderError when the engine refuses.
    """
    from cli.remote import EngineAway, engine_may_run

    if not _can_change(change) or not engine_may_run(config):
        return False
    done = False

    async def work(shell: Shell) -> None:
        nonlocal done
        done = await _keeps(shell.client, change.database_url) and await _given(shell, change)

    try:
        on_engine(work, config)
    except EngineAway:
        return False
    return done


def _can_change(change: Change) -> bool:
    section, _, name = change.key.rpartition(".")
    # A limit that is taken away altogether has no value to send.
    return change.value != "null" and (section == RISK or name in CHANGEABLE)


async def _keeps(client: "Client", database_url: str) -> bool:
    """Whether the engine works on this database: its tokens are for the engine of that database alone."""
    from autotrader.v1 import session_pb2
    from control.auth.keys import engine_id

    credential = client.target.credential()
    if credential is None:
        return False
    request = session_pb2.SignInLocallyRequest(secret=credential.secret)
    token = (await client.sessions.SignInLocally(request)).tokens.access_token
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return bool(claims["aud"] == f"autotrader-control/{engine_id(database_url)}")


async def _given(shell: Shell, change: Change) -> bool:
    """Give the command; False for a strategy that the engine was started without."""
    import grpc

    from tui.client import ControlError

    section, _, name = change.key.rpartition(".")
    try:
        await (_limit(shell, name, change) if section == RISK else _strategy(shell, section, name, change))
    except ControlError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _limit(shell: Shell, name: str, change: Change) -> None:
    from autotrader.v1 import risk_pb2

    limits = [risk_pb2.LimitChange(name=name, value=change.value)]
    request = risk_pb2.UpdateLimitsRequest(changes=limits, reauthentication=await shell.proof())
    await shell.give(shell.client.risk.UpdateLimits, request)


async def _strategy(shell: Shell, strategy: str, name: str, change: Change) -> None:
    from google.protobuf.field_mask_pb2 import FieldMask

    from autotrader.v1 import strategy_pb2

    wanted = (
        strategy_pb2.StrategyChange(weight=change.value)
        if name == "weight"
        else strategy_pb2.StrategyChange(enabled=json.loads(change.value))
    )
    request = strategy_pb2.UpdateStrategyRequest(
        name=strategy, change=wanted, update_mask=FieldMask(paths=[name])
    )
    await shell.give(shell.client.strategies.UpdateStrategy, request)
