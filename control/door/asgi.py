"""What the door takes from ASGI: the request as it comes, the answer as it goes, and the bounds on both."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from grpc import StatusCode

from control.door.frames import BadCall
from control.door.guard import RawHeaders

BODY_SECONDS = 10.0
WRITE_SECONDS = 5.0
PIECE_BYTES = 32 * 1024
BODILESS = {204, 304}
DRAINED_BYTES = 4 * 1024 * 1024

# Under this key of the scope's extensions the server gives a function that cuts the connection.
CUT = "autotrader.cut"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Gone(Exception):
    """The client has left, or reads so slowly that it is left."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises BadCall when it has more than `limit` bytes or takes over 10 seconds, Gone.

    A body that is too large is read on for a while and thrown away: a client that is still sending would not
    see the answer.
    """
    body, size, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more and size <= max(limit, DRAINED_BYTES):
                piece, more = await _piece(receive)
                size += len(piece)
                if size <= limit:
                    body += piece
    except TimeoutError:
        raise BadCall(StatusCode.DEADLINE_EXCEEDED, f"body: did not come in {BODY_SECONDS:g} s") from None
    if size > limit:
        raise BadCall(StatusCode.RESOURCE_EXHAUSTED, f"body: more than the {limit} bytes that are allowed")
    return bytes(body)


async def drain(receive: Receive) -> None:
    """Read a body that nobody wants and throw it away, so that the client sees the answer. Raises Gone."""
    with suppress(BadCall):
        await read_body(receive, limit=0)


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    event = await receive()
    if event["type"] == "http.disconnect":
        raise Gone
    return event.get("body", b""), event.get("more_body", False)


async def until_gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Answer:
    """One HTTP answer: its head once, then pieces of its body. Raises Gone when one waits over 5 seconds."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._cut: Callable[[], None] | None = scope.get("extensions", {}).get(CUT)

    async def begin(self, status: int, headers: RawHeaders) -> None:
        """Send status and headers."""
        await self._write({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, more: bool = True) -> None:
        """Send a part of the body, in pieces so small that only a reader who stands still is slow."""
        for at in range(0, max(len(data), 1), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            rest = more or at + PIECE_BYTES < len(data)
            await self._write({"type": "http.response.body", "body": piece, "more_body": rest})

    async def whole(self, status: int, headers: RawHeaders, body: bytes = b"", silent: bool = False) -> None:
        """Send an answer that is known at once; a silent one only says how long its body would be."""
        length = [(b"content-length", str(len(body)).encode())] if status not in BODILESS else []
        await self.begin(status, [*headers, *length])
        await self.write(b"" if silent else body, more=False)

    async def _write(self, event: MutableMapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send(event)
        except TimeoutError:
            if self._cut is not None:
                self._cut()
            raise Gone from None
