"""RiskService: the limits, how much of each is used, and changing them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from autotrader.v1 import common_pb2, risk_pb2, risk_pb2_grpc
from control.auth.identity import Identity
from control.caller import acting
from control.calls import Context
from control.engine_commands import EngineCommands
from control.faults import invalid, not_found
from control.limits import is_looser, limit_messages
from control.live_settings import LiveSettings
from control.numbers import number
from control.read_model.model import ReadModel
from control.rows import decimal_text
from trading.errors import InputError, suggestion
from trading.events import ChangeLimits
from trading.exact_settings import limits_of
from trading.settings import RiskSettings, Settings


class RiskServicer(risk_pb2_grpc.RiskServiceServicer):
    """Limits: of the settings in force; their use: of the engine's state."""

    def __init__(
        self,
        model: ReadModel,
        settings: LiveSettings,
        commands: EngineCommands,
        identity: Identity,
        now_ms: Callable[[], int],
    ) -> None:
        self._model = model
        self._settings = settings
        self._commands = commands
        self._identity = identity
        self._now_ms = now_ms

    async def GetLimits(
        self, request: risk_pb2.GetLimitsRequest, context: Context
    ) -> risk_pb2.GetLimitsResponse:
        """Every limit."""
        return risk_pb2.GetLimitsResponse(limits=self._limits())

    async def UpdateLimits(
        self, request: risk_pb2.UpdateLimitsRequest, context: Context
    ) -> risk_pb2.UpdateLimitsResponse:
        """Change limits: stored first, then put in force."""
        async with self._settings.changing:
            return await self._changed(request)

    async def _changed(self, request: risk_pb2.UpdateLimitsRequest) -> risk_pb2.UpdateLimitsResponse:
        act, before = acting(), self._settings.now.risk
        values = _values(request)
        after = self._accepted(values)
        if any(is_looser(name, getattr(before, name), getattr(after.risk, name)) for name in values):
            await self._identity.reauthenticate(act.caller, request.reauthentication)
        act.before = {name: _text(getattr(before, name)) for name in values}
        keyed = {f"risk.{name}": value for name, value in values.items()}
        await self._settings.store(keyed, act.caller.name, self._now_ms())
        result = await self._put_in_force(after)
        act.after = {name: _text(getattr(after.risk, name)) for name in values}
        return risk_pb2.UpdateLimitsResponse(result=result, limits=self._limits())

    def _accepted(self, values: dict[str, Any]) -> Settings:
        try:
            return self._settings.with_values({f"risk.{name}": value for name, value in values.items()})
        except InputError as error:
            key, _, sentence = str(error).partition(": ")
            index = list(values).index(key.removeprefix("risk."))
            raise invalid(f"changes[{index}].value", sentence) from None

    async def _put_in_force(self, settings: Settings) -> common_pb2.CommandResult:
        rules = self._model.state.rules
        limits = limits_of(settings.risk, rules.quote_decimals)
        return await self._commands.give(ChangeLimits, limits=limits)

    def _limits(self) -> list[risk_pb2.Limit]:
        return list(limit_messages(self._settings.now.risk, self._settings.changed, self._model.state))


def _values(request: risk_pb2.UpdateLimitsRequest) -> dict[str, Any]:
    if not request.changes:
        raise invalid("changes", "at least one limit is needed")
    values: dict[str, Any] = {}
    for index, change in enumerate(request.changes):
        if change.name not in RiskSettings.model_fields:
            raise not_found(
                f"changes[{index}].name",
                f"there is no limit {change.name!r}; {suggestion(change.name, RiskSettings.model_fields)}",
            )
        if change.name in values:
            raise invalid(f"changes[{index}].name", f"{change.name} is there twice")
        values[change.name] = number(change.value, f"changes[{index}].value")
    return values


def _text(value: Decimal | int | None) -> str:
    return "" if value is None else decimal_text(Decimal(value))
