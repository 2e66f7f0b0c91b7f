"""A small gRPC server on a unix socket with the contract's own services, and what to ask it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from autotrader.v1 import common_pb2, engine_pb2, event_pb2, log_pb2
from control.door.frames import HEADER_BYTES, TRAILERS, frame

STATUS = "/autotrader.v1.EngineService/GetStatus"
KILL = "/autotrader.v1.EngineService/Kill"
SUBSCRIBE = "/autotrader.v1.EventService/Subscribe"
METHODS = {STATUS: False, KILL: False, SUBSCRIBE: True}
CALL = {"content-type": "application/grpc-web+proto"}
REFUSAL = "100 % \u201egenug\u201c,\nund Schlu\u00df"

Context = grpc.aio.ServicerContext[Any, Any]


class Upstream:
    """Answers with fixed data; `reason` and `symbols` say what else is to happen."""

    def __init__(self) -> None:
        self.metadata: dict[str, str | bytes] = {}
        self.seconds_left: float | None = None
        self.open = 0
        self.sent = 0
        self.ended = asyncio.Event()

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """Two services of the contract, as far as they are here."""
        status = grpc.unary_unary_rpc_method_handler(
            self.get_status,
            request_deserializer=engine_pb2.GetStatusRequest.FromString,
            response_serializer=engine_pb2.GetStatusResponse.SerializeToString,
        )
        kill = grpc.unary_unary_rpc_method_handler(
            self.kill,
            request_deserializer=engine_pb2.KillRequest.FromString,
            response_serializer=engine_pb2.KillResponse.SerializeToString,
        )
        subscribe = grpc.unary_stream_rpc_method_handler(
            self.subscribe,
            request_deserializer=event_pb2.SubscribeRequest.FromString,
            response_serializer=event_pb2.SubscribeResponse.SerializeToString,
        )
        generic = grpc.method_handlers_generic_handler
        return (
            generic("autotrader.v1.EngineService", {"GetStatus": status, "Kill": kill}),
            generic("autotrader.v1.EventService", {"Subscribe": subscribe}),
        )

    async def get_status(self, request: Any, context: Any) -> engine_pb2.GetStatusResponse:
        """The metadata of the call is remembered."""
        self.metadata = dict(context.invocation_metadata())
        self.seconds_left = context.time_remaining()
        return engine_pb2.GetStatusResponse(status=engine_pb2.EngineStatus(quote="USDT", run_id=7))

    async def kill(self, request: Any, context: Any) -> engine_pb2.KillResponse:
        """`refuse` is refused with details, `wait` waits for its end; anything else is said back."""
        if request.reason == "refuse":
            await context.abort_with_status(refusal())
        if request.reason == "wait":
            await self._wait()
        return engine_pb2.KillResponse(result=common_pb2.CommandResult(message=request.reason))

    async def subscribe(self, request: Any, context: Any) -> AsyncIterator[event_pb2.SubscribeResponse]:
        """`after_sequence` messages, then the end; or `wait`, `refuse`, or `flood`: as fast as it is read."""
        todo = request.symbols[0] if request.symbols else ""
        for sequence in range(1, request.after_sequence + 1):
            yield event_pb2.SubscribeResponse(sequence=sequence, run_id=request.run_id)
        if todo == "refuse":
            await context.abort_with_status(refusal())
        if todo == "wait":
            await self._wait()
        if todo == "flood":
            await self._wait(self._flood(context))

    async def _flood(self, context: Any) -> None:
        filler = event_pb2.Event(log_entry=log_pb2.LogEntry(text="x" * 100_000))
        while True:
            await context.write(event_pb2.SubscribeResponse(events=[filler]))
            self.sent += 1

    async def _wait(self, work: Any = None) -> None:
        self.open += 1
        try:
            await (work or asyncio.Event().wait())
        finally:
            self.open -= 1
            self.ended.set()


def refusal() -> Any:
    """A status with a sentence that needs encoding, and with details."""
    details = any_pb2.Any()
    details.Pack(error_details_pb2.ErrorInfo(reason="ENOUGH", domain="autotrader"))
    code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
    return rpc_status.to_status(status_pb2.Status(code=code, message=REFUSAL, details=[details]))


@asynccontextmanager
async def running_upstream(socket: Path) -> AsyncIterator[Upstream]:
    """The server, as long as it is needed."""
    upstream = Upstream()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(upstream.handlers())
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield upstream
    finally:
        await server.stop(0)


def kill(reason: str) -> bytes:
    """The body of a request to Kill."""
    return frame(engine_pb2.KillRequest(request_id="request-1", reason=reason).SerializeToString())


def subscribe(messages: int, todo: str = "") -> bytes:
    """The body of a request to Subscribe."""
    request = event_pb2.SubscribeRequest(after_sequence=messages, run_id=3, symbols=[todo] if todo else [])
    return frame(request.SerializeToString())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the test's own time limit ends it."""
    while not condition():
        await asyncio.sleep(0.005)


def frames_in(body: bytes) -> list[tuple[int, bytes]]:
    """Flags and payload of each frame of an answer; a cut frame fails."""
    found = []
    while body:
        end = HEADER_BYTES + int.from_bytes(body[1:HEADER_BYTES], "big")
        assert len(body) >= end
        found.append((body[0], body[HEADER_BYTES:end]))
        body = body[end:]
    return found


def messages_and_trailers(body: bytes) -> tuple[list[bytes], dict[str, str]]:
    """The messages of an answer and its trailers, which must be its last frame."""
    *messages, (flags, last) = frames_in(body)
    assert flags == TRAILERS
    assert all(each == 0 for each, _ in messages)
    lines = [line.split(": ", 1) for line in last.decode("ascii").split("\r\n") if line]
    return [payload for _, payload in messages], {name: value for name, value in lines}
