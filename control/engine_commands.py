"""Commands on their way to risk: sent once, answered when they are stored and the screens know them."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from actors.ports import ActorLost
from actors.refs import RiskRef
from autotrader.v1 import common_pb2
from control.caller import acting
from control.faults import unavailable
from control.read_model.model import ReadModel
from control.rows import timestamp
from trading.decisions import Noticed
from trading.events import Command


class EngineCommands:
    """Gives the command at hand to risk, in the name of its caller."""

    def __init__(self, risk: RiskRef, model: ReadModel, now_ms: Callable[[], int]) -> None:
        self._risk = risk
        self._model = model
        self._now_ms = now_ms

    async def give(self, kind: Callable[..., Command], **facts: Any) -> common_pb2.CommandResult:
        """Do it. Raises InputError when it cannot be done, UNAVAILABLE when risk does not answer: what
        became of it then is known when the same command is sent again."""
        act = acting()
        command = kind(
            request_id=f"{act.caller.name}/{act.request_id}",
            by=act.caller.name,
            time_ms=self._now_ms(),
            **facts,
        )
        try:
            done = await self._risk.command(command)
        except ActorLost:
            raise unavailable(
                "risk does not answer; it is being started again. Send the same command again: it is done "
                "once"
            ) from None
        # It is done and stored: an answer is not held back because the screens are late.
        with suppress(TimeoutError):
            await self._model.reach(done.sequence)
        notices = [each.text for each in done.decisions if isinstance(each, Noticed)]
        return self.result(notices[0] if notices else "nothing changed: it is so already", done.sequence)

    def result(self, message: str, sequence: int = 0) -> common_pb2.CommandResult:
        """What came of a command."""
        return common_pb2.CommandResult(message=message, sequence=sequence, time=timestamp(self._now_ms()))
