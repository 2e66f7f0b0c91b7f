"""StrategyService: the voters, what they say and weigh, and changing them."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from actors.refs import SupervisorRef, strategy_name
from actors.strategy_spec import spec_of
from autotrader.v1 import strategy_pb2, strategy_pb2_grpc
from control.caller import acting
from control.calls import Context
from control.engine_commands import EngineCommands
from control.faults import Fault, exists, invalid, not_found, precondition
from control.live_settings import STRATEGIES, LiveSettings
from control.numbers import number
from control.read_model.model import ReadModel
from control.read_model.views import vote_message
from control.rows import millionths_text
from control.strategy_records import StrategyRecords
from trading.errors import InputError, suggestion
from trading.events import AddStrategy, ChangeStrategy, RemoveStrategy
from trading.exact_settings import millionths, seat_of
from trading.rules import Seat
from trading.setting_keys import parse_scalar
from trading.settings import StrategySettings

CHANGEABLE = ("enabled", "weight")
# The requests' fields by the last word of a setting's key.
CHANGED = {name: f"change.{name}" for name in CHANGEABLE}
ADDED = {"name": "name", "type": "type", "weight": "weight", "params": "params", STRATEGIES: "name"}


class StrategyServicer(strategy_pb2_grpc.StrategyServiceServicer):
    """Seats are the engine's, parameters the settings', health the supervisor's."""

    def __init__(
        self,
        model: ReadModel,
        records: StrategyRecords,
        settings: LiveSettings,
        commands: EngineCommands,
        supervisor: SupervisorRef,
        now_ms: Callable[[], int],
    ) -> None:
        self._model = model
        self._records = records
        self._settings = settings
        self._commands = commands
        self._supervisor = supervisor
        self._now_ms = now_ms

    async def ListStrategies(
        self, request: strategy_pb2.ListStrategiesRequest, context: Context
    ) -> strategy_pb2.ListStrategiesResponse:
        """Every strategy."""
        await self._records.refresh()
        seats = self._model.state.rules.seats
        return strategy_pb2.ListStrategiesResponse(strategies=map(self._message, seats))

    async def ListStrategyTypes(
        self, request: strategy_pb2.ListStrategyTypesRequest, context: Context
    ) -> strategy_pb2.ListStrategyTypesResponse:
        """The types that can be added."""
        return strategy_pb2.ListStrategyTypesResponse(types=await asyncio.to_thread(_types))

    async def UpdateStrategy(
        self, request: strategy_pb2.UpdateStrategyRequest, context: Context
    ) -> strategy_pb2.UpdateStrategyResponse:
        """Enable, disable or reweigh."""
        async with self._settings.changing:
            return await self._update(request)

    async def _update(
        self, request: strategy_pb2.UpdateStrategyRequest
    ) -> strategy_pb2.UpdateStrategyResponse:
        act, before = acting(), self._seat(request.name)
        values = _changes(request)
        keyed = {f"{request.name}.{name}": value for name, value in values.items()}
        after = _checked(self._settings, keyed, CHANGED, "change")
        act.before = _seat_facts(before)
        await self._settings.store(keyed, act.caller.name, self._now_ms())
        chosen = next(each for each in after.strategies if each.name == request.name)
        facts: dict[str, Any] = {"name": request.name}
        facts |= {"enabled": chosen.enabled} if "enabled" in values else {}
        facts |= {"weight": millionths(chosen.weight)} if "weight" in values else {}
        result = await self._commands.give(ChangeStrategy, **facts)
        seat = self._seat(request.name)
        act.after = _seat_facts(seat)
        return strategy_pb2.UpdateStrategyResponse(result=result, strategy=self._message(seat))

    async def AddStrategy(
        self, request: strategy_pb2.AddStrategyRequest, context: Context
    ) -> strategy_pb2.AddStrategyResponse:
        """Start a strategy's actor, then give it a seat."""
        async with self._settings.changing:
            return await self._add(request)

    async def _add(self, request: strategy_pb2.AddStrategyRequest) -> strategy_pb2.AddStrategyResponse:
        act = acting()
        # One that broke off may have been given its seat: the engine gives it once for the command's id.
        if not act.again and self._has_seat(request.name):
            raise exists("name", f"a strategy {request.name!r} exists already")
        # A command that broke off after its settings were stored is taken up again.
        others = [entry for entry in self._entries() if entry["name"] != request.name]
        entries = [*others, _entry(request)]
        after = _checked(self._settings, {STRATEGIES: entries}, ADDED, "name")
        chosen = after.strategies[-1]
        seat = await asyncio.to_thread(_made_seat, chosen)
        await self._settings.store({STRATEGIES: entries}, act.caller.name, self._now_ms())
        await self._supervisor.add_strategy(spec_of(chosen))
        result = await self._commands.give(AddStrategy, seat=seat)
        act.after = _seat_facts(seat)
        return strategy_pb2.AddStrategyResponse(result=result, strategy=self._message(seat))

    async def RemoveStrategy(
        self, request: strategy_pb2.RemoveStrategyRequest, context: Context
    ) -> strategy_pb2.RemoveStrategyResponse:
        """Take its seat, then end its actor."""
        async with self._settings.changing:
            return await self._remove(request)

    async def _remove(
        self, request: strategy_pb2.RemoveStrategyRequest
    ) -> strategy_pb2.RemoveStrategyResponse:
        act = acting()
        # One that broke off may have taken the seat; what follows is then still to be done.
        seat = None if act.again and not self._has_seat(request.name) else self._seat(request.name)
        entries = [entry for entry in self._entries() if entry["name"] != request.name]
        if not entries:
            raise precondition("LAST_STRATEGY", "name: it is the last strategy; disable it instead")
        _checked(self._settings, {STRATEGIES: entries}, {}, "name")
        act.before = None if seat is None else _seat_facts(seat)
        await self._settings.store({STRATEGIES: entries}, act.caller.name, self._now_ms())
        result = await self._commands.give(RemoveStrategy, name=request.name)
        await self._supervisor.remove_strategy(request.name)
        return strategy_pb2.RemoveStrategyResponse(result=result)

    def _entries(self) -> list[dict[str, Any]]:
        dumped = self._settings.now.model_dump(exclude_none=True)[STRATEGIES]
        return [dict(entry) for entry in dumped]

    def _has_seat(self, name: str) -> bool:
        return any(seat.name == name for seat in self._model.state.rules.seats)

    def _seat(self, name: str) -> Seat:
        seats = {seat.name: seat for seat in self._model.state.rules.seats}
        if name not in seats:
            raise not_found("name", f"there is no strategy {name!r}; {suggestion(name, seats)}")
        return seats[name]

    def _message(self, seat: Seat) -> strategy_pb2.Strategy:
        chosen = self._settings.strategy(seat.name)
        actor = self._model.actors.message(strategy_name(seat.name), self._now_ms())
        return strategy_pb2.Strategy(
            name=seat.name,
            type=chosen.type if chosen else "",
            enabled=seat.enabled,
            weight=millionths_text(seat.weight),
            params={key: str(value) for key, value in chosen.params.items()} if chosen else {},
            health=actor.health,
            note=actor.note,
            latest_votes=self._votes(seat.name),
            record=self._records.message(seat.name),
            warmup_candles=seat.warmup_candles,
            valid_candles=seat.valid_candles,
        )

    def _votes(self, name: str) -> list[strategy_pb2.SymbolVote]:
        return [
            strategy_pb2.SymbolVote(symbol=symbol, vote=vote_message(vote))
            for symbol, decided in self._model.outcomes.items()
            for vote in decided.outcome.votes
            if vote.strategy == name
        ]


def _changes(request: strategy_pb2.UpdateStrategyRequest) -> dict[str, Any]:
    paths = list(dict.fromkeys(request.update_mask.paths))
    if not paths:
        raise invalid("update_mask", f"name what changes: {', '.join(CHANGEABLE)}")
    for path in paths:
        if path not in CHANGEABLE:
            raise invalid("update_mask", f"{path!r} cannot be changed; allowed: {', '.join(CHANGEABLE)}")
    values: dict[str, Any] = {}
    if "enabled" in paths:
        values["enabled"] = request.change.enabled
    if "weight" in paths:
        values["weight"] = number(request.change.weight, "change.weight")
    return values


def _checked(settings: LiveSettings, values: Mapping[str, Any], fields: Mapping[str, str], usual: str) -> Any:
    """The settings with these values. Raises INVALID_ARGUMENT in the caller's own words for the field."""
    try:
        return settings.with_values(values)
    except InputError as error:
        raise _fault(error, fields, usual) from None


def _fault(error: InputError, fields: Mapping[str, str], usual: str) -> Fault:
    key, _, sentence = str(error).partition(": ")
    field = fields.get(key.rpartition(".")[2])
    return invalid(field, sentence) if field else invalid(usual, str(error))


def _entry(request: strategy_pb2.AddStrategyRequest) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": request.name, "type": request.type}
    if request.weight:
        entry["weight"] = number(request.weight, "weight")
    return {**entry, "params": {key: parse_scalar(text) for key, text in request.params.items()}}


def _made_seat(chosen: StrategySettings) -> Seat:
    from trading.strategies.registry import make

    try:
        return seat_of(chosen, make(chosen.type, chosen.params, chosen.path))
    except InputError as error:
        raise _fault(error, ADDED, "params") from None


def _seat_facts(seat: Seat) -> dict[str, Any]:
    return {"name": seat.name, "enabled": seat.enabled, "weight": millionths_text(seat.weight)}


def _types() -> list[strategy_pb2.StrategyType]:
    from trading.strategies.registry import available

    return [
        strategy_pb2.StrategyType(
            name=each.name,
            summary=each.doc.partition("\n")[0],
            parameters=[
                strategy_pb2.StrategyParameter(
                    name=parameter.name,
                    default_value=str(parameter.default),
                    allowed=", ".join(parameter.options) or f"{parameter.low} to {parameter.high}",
                    summary=parameter.doc,
                )
                for parameter in each.parameters
            ],
        )
        for each in available()
    ]
