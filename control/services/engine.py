"""EngineService: the status, and the commands that an operator needs in a hurry."""

from collections.abc import Callable
from typing import Any

from actors.refs import SupervisorRef
from autotrader.v1 import common_pb2, engine_pb2, engine_pb2_grpc
from control.arguments import symbol_of, text_of
from control.auth.identity import Identity
from control.caller import acting
from control.calls import Context
from control.engine_commands import EngineCommands
from control.faults import invalid, precondition
from control.read_model.model import ReadModel
from trading.errors import InputError
from trading.events import CloseAll, ClosePosition, Command, Kill, Pause, ResetKill, Resume

MOST_REASON = 500


class EngineServicer(engine_pb2_grpc.EngineServiceServicer):
    """Answers from the read model; commands go to risk."""

    def __init__(
        self,
        model: ReadModel,
        commands: EngineCommands,
        supervisor: SupervisorRef,
        identity: Identity,
    ) -> None:
        self._model = model
        self._commands = commands
        self._supervisor = supervisor
        self._identity = identity

    async def GetStatus(
        self, request: engine_pb2.GetStatusRequest, context: Context
    ) -> engine_pb2.GetStatusResponse:
        """How the engine stands."""
        return engine_pb2.GetStatusResponse(status=self._model.status())

    async def Pause(self, request: engine_pb2.PauseRequest, context: Context) -> engine_pb2.PauseResponse:
        """No entries."""
        return engine_pb2.PauseResponse(result=await self._switch(Pause))

    async def Resume(self, request: engine_pb2.ResumeRequest, context: Context) -> engine_pb2.ResumeResponse:
        """Entries again."""
        return engine_pb2.ResumeResponse(result=await self._switch(Resume))

    async def ClosePosition(
        self, request: engine_pb2.ClosePositionRequest, context: Context
    ) -> engine_pb2.ClosePositionResponse:
        """Sell one position."""
        symbol = symbol_of("symbol", request.symbol, self._model.state.symbols)
        try:
            result = await self._switch(ClosePosition, symbol=symbol)
        except InputError as error:
            raise precondition("NOTHING_TO_CLOSE", str(error)) from None
        return engine_pb2.ClosePositionResponse(result=result)

    async def CloseAll(
        self, request: engine_pb2.CloseAllRequest, context: Context
    ) -> engine_pb2.CloseAllResponse:
        """Sell every position."""
        return engine_pb2.CloseAllResponse(result=await self._switch(CloseAll))

    async def Kill(self, request: engine_pb2.KillRequest, context: Context) -> engine_pb2.KillResponse:
        """Throw the kill switch."""
        why = text_of("reason", request.reason, MOST_REASON).strip() or "operator"
        return engine_pb2.KillResponse(result=await self._switch(Kill, why=why))

    async def ResetKillSwitch(
        self, request: engine_pb2.ResetKillSwitchRequest, context: Context
    ) -> engine_pb2.ResetKillSwitchResponse:
        """Lift the kill switch."""
        why = text_of("reason", request.reason, MOST_REASON).strip()
        if not why:
            raise invalid("reason", "a reset of the kill switch needs a reason")
        await self._identity.reauthenticate(acting().caller, request.reauthentication)
        try:
            result = await self._switch(ResetKill, why=why)
        except InputError as error:
            raise precondition("NOT_RESETTABLE", str(error)) from None
        return engine_pb2.ResetKillSwitchResponse(result=result)

    async def Stop(self, request: engine_pb2.StopRequest, context: Context) -> engine_pb2.StopResponse:
        """End the engine."""
        await self._supervisor.ask_stop()
        return engine_pb2.StopResponse(result=self._commands.result("the engine is being stopped"))

    async def _switch(self, kind: Callable[..., Command], **facts: Any) -> common_pb2.CommandResult:
        """Give a command, with the switches and positions before and after for the audit trail."""
        act = acting()
        act.before = self._facts()
        result = await self._commands.give(kind, **facts)
        act.after = self._facts()
        return result

    def _facts(self) -> dict[str, Any]:
        state = self._model.state
        return {
            "paused": state.paused,
            "killed": state.killed,
            "positions": [position.symbol for position in state.positions()],
        }
