"""What an operator can do: asks what must be asked, sends the command, says what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from autotrader.v1 import access_pb2, engine_pb2
from tui.client import ClientError, ControlError, Unreachable, request_id
from tui.dialogs.confirm import Confirmation, KillConfirmation
from tui.text import visible

if TYPE_CHECKING:
    from tui.app import ConsoleApp

Answer = TypeVar("Answer")

# The least role of each action; the engine checks it again.
ROLES = {
    "kill": access_pb2.ROLE_OPERATOR,
    "pause": access_pb2.ROLE_OPERATOR,
    "resume": access_pb2.ROLE_OPERATOR,
    "close_all": access_pb2.ROLE_OPERATOR,
    "close_position": access_pb2.ROLE_OPERATOR,
    "reset_kill": access_pb2.ROLE_ADMIN,
    "stop_engine": access_pb2.ROLE_OPERATOR,
    "change_limit": access_pb2.ROLE_ADMIN,
    "toggle_strategy": access_pb2.ROLE_OPERATOR,
    "weigh_strategy": access_pb2.ROLE_OPERATOR,
    "add_strategy": access_pb2.ROLE_OPERATOR,
    "remove_strategy": access_pb2.ROLE_OPERATOR,
    "start_backtest": access_pb2.ROLE_OPERATOR,
    "start_sweep": access_pb2.ROLE_OPERATOR,
    "cancel_run": access_pb2.ROLE_OPERATOR,
    "add_account": access_pb2.ROLE_ADMIN,
    "change_role": access_pb2.ROLE_ADMIN,
    "toggle_account": access_pb2.ROLE_ADMIN,
    "set_password": access_pb2.ROLE_ADMIN,
    "remove_account": access_pb2.ROLE_ADMIN,
}
RESEND_SECONDS = 0.3
# The reason of a refusal that a proof of who asks lifts.
PROOF_WANTED = "REAUTHENTICATION_REQUIRED"


class Commands:
    """The commands of the engine. Each is run as a worker, so that the screen never waits."""

    def __init__(self, app: "ConsoleApp") -> None:
        self._app = app
        self._client = app.client

    async def kill(self) -> None:
        """Throw the kill switch after one more key."""
        if await self._app.push_screen_wait(KillConfirmation(len(self._app.facts.positions))):
            request = engine_pb2.KillRequest(request_id=request_id(), reason="operator at the console")
            await self.send(self._client.engine.Kill, request)

    async def pause(self) -> None:
        """No entries until resumed."""
        await self.send(self._client.engine.Pause, engine_pb2.PauseRequest(request_id=request_id()))

    async def resume(self) -> None:
        """Take entries again."""
        await self.send(self._client.engine.Resume, engine_pb2.ResumeRequest(request_id=request_id()))

    async def close_position(self, symbol: str) -> None:
        """Sell one position, after the word."""
        explanation = f"Cancels what waits for {visible(symbol)} and sells the position at market."
        if await self.confirmed(f"Close {visible(symbol)}", explanation, "close"):
            request = engine_pb2.ClosePositionRequest(request_id=request_id(), symbol=symbol)
            await self.send(self._client.engine.ClosePosition, request)

    async def close_all(self) -> None:
        """Sell every position, after the word."""
        explanation = (
            "Cancels waiting entries and sells every position at market. Entries go on unless paused."
        )
        if await self.confirmed("Close all positions", explanation, "close"):
            await self.send(self._client.engine.CloseAll, engine_pb2.CloseAllRequest(request_id=request_id()))

    async def stop_engine(self) -> None:
        """End the engine, after the word."""
        explanation = "Ends the engine. Positions stay open and are not watched until it runs again."
        if await self.confirmed("Stop the engine", explanation, "stop"):
            await self.send(self._client.engine.Stop, engine_pb2.StopRequest(request_id=request_id()))

    async def reset_kill(self) -> None:
        """Lift the kill switch: a reason, the password, the word."""
        explanation = "Lifts the kill switch: the engine may trade again, measured from the equity of now."
        fields = {"reason": "Why may it trade again?"}
        answers = await self.confirmed("Reset the kill switch", explanation, "reset", fields, proof=True)
        if answers is not None:
            request = engine_pb2.ResetKillSwitchRequest(
                request_id=request_id(),
                reason=answers["reason"],
                reauthentication=self._client.reauthentication(answers.get("password", "")),
            )
            await self.send(self._client.engine.ResetKillSwitch, request)

    async def confirmed(
        self,
        title: str,
        explanation: str,
        word: str,
        fields: dict[str, str] | None = None,
        *,
        proof: bool = False,
    ) -> dict[str, str] | None:
        """Have a word typed, and the fields filled.

        With `proof` also the password, unless the client has its own.
        """
        wanted = dict(fields or {})
        if proof and not self._client.local:
            wanted["password"] = "Your password, once more"
        return await self._app.push_screen_wait(Confirmation(title, explanation, word, wanted))

    async def send(
        self, method: Callable[[Any], Awaitable[Answer]], request: Any, *, leave: str = ""
    ) -> Answer | None:
        """Send a command and say what came of it; None when it failed.

        A command whose answer was lost is sent once more with the same id: it is done once. A refusal with
        the reason `leave` is raised instead of shown.
        """
        try:
            try:
                answer = await method(request)
            except Unreachable:
                await asyncio.sleep(RESEND_SECONDS)
                answer = await method(request)
        except ClientError as error:
            if leave and isinstance(error, ControlError) and error.reason == leave:
                raise
            self._app.complain(error)
            return None
        message = getattr(getattr(answer, "result", None), "message", "")
        self._app.say(message or "done")
        return answer
