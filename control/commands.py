"""A command is done once for its id, and lands in the audit trail: when it is asked, and when it ended."""

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from sqlalchemy import Connection

from actors.persistence import audit_trail
from actors.ports import ActorLost
from autotrader.v1 import access_pb2
from control.caller import Act, Caller, begin_act
from control.contract import DESCRIPTORS, Method
from control.faults import Fault, exhausted, fault_of, invalid, printable
from control.store import ControlStore, Got
from trading.errors import AutotraderError

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
HIDDEN = "***"
MOST_RUNNING = 8
MOST_DETAIL = 1024
STORE_SECONDS = 10.0
STORE_PAUSE_SECONDS = 0.1
# Never kept waiting by the other commands.
ALWAYS = "EngineService/Kill"


@dataclass(frozen=True)
class _Running:
    """A command at work, so that the same one sent again waits for it."""

    fingerprint: str
    task: "asyncio.Task[Message]"


class Commands:
    """Does commands once, at most 8 of an account at a time; they end even when their caller goes away."""

    def __init__(self, store: ControlStore, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._running: dict[tuple[str, str], _Running] = {}

    async def once(
        self, method: Method, who: Caller, request: Any, do: Callable[[], Awaitable[Message]]
    ) -> Message:
        """The answer of a command: of `do`, or the one that was given for this id before.

        Raises Fault for an id that is malformed or was another command's, and RESOURCE_EXHAUSTED.
        """
        request_id = request.request_id
        if not _REQUEST_ID.fullmatch(request_id):
            raise invalid(
                "request_id", "must be 8 to 64 letters, digits, '-', '_' or '.', new for each command"
            )
        key, fingerprint = (who.name, request_id), _fingerprint(method, request)
        running = self._running.get(key)
        if running is None:
            self._require_room(method, who)
            work = self._do(method, who, request, fingerprint, do)
            running = self._running[key] = _Running(fingerprint, asyncio.ensure_future(work))
            running.task.add_done_callback(lambda _task: self._running.pop(key, None))
        elif running.fingerprint != fingerprint:
            raise _used_before(request_id)
        return await asyncio.shield(running.task)

    def _require_room(self, method: Method, who: Caller) -> None:
        under_way = sum(1 for name, _ in self._running if name == who.name)
        if method.short != ALWAYS and under_way >= MOST_RUNNING:
            sentence = f"{MOST_RUNNING} commands of {who.name} are at work; wait 1 second and try again"
            raise exhausted("TOO_MANY_COMMANDS", sentence)

    async def _do(
        self,
        method: Method,
        who: Caller,
        request: Any,
        fingerprint: str,
        do: Callable[[], Awaitable[Message]],
    ) -> Message:
        asked = self._row(method, who, request.request_id, "asked", _facts(request), fingerprint)
        known = await self._stored(audit_trail.ask, asked)
        if known.other:
            raise _used_before(request.request_id)
        if known.answer is not None:
            return _answer(method, known.answer)
        act = Act(who, request.request_id, known.again)
        begin_act(act)
        try:
            response = await do()
        except Exception as error:
            await self._ended(method, act, fingerprint, _code(error), _detail(error), b"")
            raise
        said = response.result.message  # type: ignore[attr-defined]
        await self._ended(method, act, fingerprint, "OK", said, response.SerializeToString())
        return response

    async def _ended(
        self, method: Method, act: Act, fingerprint: str, result: str, detail: str, answer: bytes
    ) -> None:
        row = self._row(method, act.caller, act.request_id, result, detail, fingerprint)
        await self._stored(
            audit_trail.end, audit_trail.with_outcome(row, _json(act.before), _json(act.after), answer)
        )

    async def _stored(
        self, act: Callable[[Connection, audit_trail.AuditRow], Got], row: audit_trail.AuditRow
    ) -> Got:
        """Write to the trail; the database's writer that is being started again is waited for, 10 seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + STORE_SECONDS
        while True:
            try:
                return await self._store.perform(act, row)
            except ActorLost:
                if loop.time() >= end:
                    raise
            await asyncio.sleep(STORE_PAUSE_SECONDS)

    def _row(
        self, method: Method, who: Caller, request_id: str, result: str, detail: str, fingerprint: str
    ) -> audit_trail.AuditRow:
        return audit_trail.AuditRow(
            time_ms=self._now_ms(),
            account=who.name,
            role=access_pb2.Role.Name(who.role).removeprefix("ROLE_").lower(),
            address=who.address,
            method=method.short,
            request_id=request_id,
            result=result,
            detail=detail,
            fingerprint=fingerprint,
        )


def _fingerprint(method: Method, request: Message) -> str:
    return hashlib.sha256(f"{method.path} {_facts(request)}".encode()).hexdigest()


def _facts(request: Message) -> str:
    """The arguments as JSON, in one order, without secrets."""
    copied = type(request)()
    copied.CopyFrom(request)
    _hide(copied)
    return json.dumps(MessageToDict(copied, preserving_proto_field_name=True), sort_keys=True)


def _hide(message: Message) -> None:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            setattr(message, field.name, HIDDEN)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else (value,):
                _hide(each)


def _answer(method: Method, stored: bytes) -> Message:
    kind = message_factory.GetMessageClass(DESCRIPTORS[method.path].output_type)
    return kind.FromString(stored)


def _code(error: Exception) -> str:
    if isinstance(error, AutotraderError):
        error = fault_of(error)
    return (error.code if isinstance(error, Fault) else grpc.StatusCode.INTERNAL).name


def _detail(error: Exception) -> str:
    """What the trail says of a failure; of one that nobody foresaw only its kind: its words may hold
    anything."""
    if not isinstance(error, Fault | AutotraderError):
        return type(error).__name__
    return printable(str(error))[:MOST_DETAIL]


def _json(facts: Any) -> str | None:
    return None if facts is None else json.dumps(facts, sort_keys=True)


def _used_before(request_id: str) -> Fault:
    return invalid("request_id", f"{request_id!r} was used for another command; each command needs a new one")
