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

from actors.persistence import audit_trail
from autotrader.v1 import access_pb2
from control.caller import Act, Caller, begin_act
from control.contract import DESCRIPTORS, Method
from control.faults import Fault, fault_of, invalid
from control.store import ControlStore
from trading.errors import AutotraderError

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
HIDDEN = "***"


@dataclass(frozen=True)
class _Running:
    """A command at work, so that the same one sent again waits for it."""

    fingerprint: str
    task: "asyncio.Task[Message]"


class Commands:
    """Does commands once. They end even when their caller does not wait."""

    def __init__(self, store: ControlStore, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._running: dict[tuple[str, str], _Running] = {}

    async def once(
        self, method: Method, who: Caller, request: Any, do: Callable[[], Awaitable[Message]]
    ) -> Message:
        """The answer of a command: of `do`, or the one that was given for this id before.

        Raises Fault for an id that is malformed or was another command's.
        """
        request_id = request.request_id
        if not _REQUEST_ID.fullmatch(request_id):
            raise invalid(
                "request_id", "must be 8 to 64 letters, digits, '-', '_' or '.', new for each command"
            )
        key, fingerprint = (who.name, request_id), _fingerprint(method, request)
        running = self._running.get(key)
        if running is None:
            work = self._do(method, who, request, fingerprint, do)
            running = self._running[key] = _Running(fingerprint, asyncio.ensure_future(work))
            running.task.add_done_callback(lambda _task: self._running.pop(key, None))
        elif running.fingerprint != fingerprint:
            raise _used_before(request_id)
        return await asyncio.shield(running.task)

    async def _do(
        self,
        method: Method,
        who: Caller,
        request: Any,
        fingerprint: str,
        do: Callable[[], Awaitable[Message]],
    ) -> Message:
        asked = self._row(method, who, request.request_id, "asked", _facts(request), fingerprint)
        before = await self._store.perform(audit_trail.ask, asked)
        if before is not None:
            if (before.method, before.fingerprint) != (method.short, fingerprint):
                raise _used_before(request.request_id)
            return _answer(method, before.answer)
        act = Act(who, request.request_id)
        begin_act(act)
        try:
            response = await do()
        except Exception as error:
            await self._ended(method, act, fingerprint, _code(error), str(error), b"")
            raise
        said = response.result.message  # type: ignore[attr-defined]
        await self._ended(method, act, fingerprint, "OK", said, response.SerializeToString())
        return response

    async def _ended(
        self, method: Method, act: Act, fingerprint: str, result: str, detail: str, answer: bytes
    ) -> None:
        row = self._row(method, act.caller, act.request_id, result, detail, fingerprint)
        await self._store.perform(
            audit_trail.append,
            audit_trail.with_outcome(row, _json(act.before), _json(act.after), answer),
        )

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


def _json(facts: Any) -> str | None:
    return None if facts is None else json.dumps(facts, sort_keys=True)


def _used_before(request_id: str) -> Fault:
    return invalid("request_id", f"{request_id!r} was used for another command; each command needs a new one")
