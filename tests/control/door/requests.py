"""Raw ASGI requests, as a server would make them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from control.door.app import Door
from tests.control.door.upstream import messages_and_trailers

GRPC_WEB = {"host": "localhost:8443", "content-type": "application/grpc-web+proto", "x-grpc-web": "1"}


@dataclass
class Reply:
    """What came back; `done` once the application has returned."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    finished: bool = False

    @property
    def trailers(self) -> dict[str, str]:
        """The trailers of a gRPC-web answer."""
        return messages_and_trailers(self.body)[1]

    @property
    def messages(self) -> list[bytes]:
        """The messages of a gRPC-web answer."""
        return messages_and_trailers(self.body)[0]

    async def __call__(self, event: Any) -> None:
        """ASGI's `send`."""
        if event["type"] == "http.response.start":
            assert not self.status
            self.status = event["status"]
            self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        else:
            assert not self.finished
            self.body += event["body"]
            self.finished = not event["more_body"]


def scope_of(method: str, path: str, headers: Mapping[str, str], scheme: str = "http") -> dict[str, Any]:
    """An ASGI scope."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "scheme": scheme,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("192.0.2.7", 50_000),
        "extensions": {},
    }


class Pieces:
    """ASGI's `receive`: a body in pieces, then silence until `leave`."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = list(pieces)
        self._left = asyncio.Event()
        self.taken = 0

    async def __call__(self) -> dict[str, Any]:
        """The next event."""
        if self.taken < len(self._pieces):
            self.taken += 1
            piece = self._pieces[self.taken - 1]
            return {"type": "http.request", "body": piece, "more_body": self.taken < len(self._pieces)}
        await self._left.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        """The client goes away."""
        self._left.set()


async def ask(door: Door, method: str, path: str, **headers: str) -> Reply:
    """A request without a body; underscores in names are hyphens."""
    reply = Reply()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    await door(scope_of(method, path, {"host": "localhost:8443", **named}), Pieces([b""]), reply)
    return reply


async def call(door: Door, path: str, body: bytes, *pieces: bytes, **headers: str) -> Reply:
    """A gRPC-web call to its end; underscores in names are hyphens."""
    reply = Reply()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    await door(scope_of("POST", path, {**GRPC_WEB, **named}), Pieces([body, *pieces]), reply)
    return reply
