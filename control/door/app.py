"""The door as an ASGI application: gRPC-web calls are relayed, the rest is the phone client."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from grpc import StatusCode
from grpc.aio import Channel, insecure_channel

from control.door.asgi import Answer, Gone, Receive, Scope, Send, drain, read_body
from control.door.frames import HEADER_BYTES, BadCall, from_text, message_of
from control.door.guard import Guard, protection
from control.door.headers import Headers, metadata_of, read_headers, timeout_of
from control.door.relay import Relay, WebAnswer
from control.door.static import StaticFiles

MESSAGE_BYTES = 1024 * 1024
MAX_CALLS = 256

# Content type: whether it is the text format.
CONTENT_TYPES = {
    "application/grpc-web": False,
    "application/grpc-web+proto": False,
    "application/grpc-web-text": True,
    "application/grpc-web-text+proto": True,
}
PLAIN = (b"content-type", b"text/plain; charset=utf-8")
PREFLIGHT = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, grpc-timeout, x-grpc-web, x-user-agent"),
    (b"access-control-max-age", b"600"),
]


class Door:
    """Takes gRPC-web calls and hands their bytes to the gRPC server on a unix socket; knows no message.

    `methods` says of each path whether its answer is a stream. `hosts` are the names and addresses that it is
    reached by, beside the loopback ones; `origins` (https://NAME:PORT) those of pages that may call, beside
    its own. `static` is the phone client's folder.
    A request has at most 1 MiB; at most 256 calls are open, more are refused with RESOURCE_EXHAUSTED.
    """

    def __init__(
        self,
        socket: Path,
        methods: Mapping[str, bool],
        hosts: Collection[str] = (),
        origins: Collection[str] = (),
        static: Path | None = None,
    ) -> None:
        self._target = f"unix:{socket}"
        self._methods = methods
        self._guard = Guard(frozenset(map(str.lower, hosts)), frozenset(origins))
        self._static = StaticFiles(static)
        self._channel: Channel | None = None
        self._relays: set[Relay] = set()
        self._taken = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "http":
            with suppress(Gone):
                await self._answer(scope, receive, Answer(scope, send))

    async def close(self, grace_seconds: float = 1.0) -> None:
        """Take no more calls, and end the open ones with UNAVAILABLE, waiting for them so long at most."""
        self._closing = True
        for relay in list(self._relays):
            relay.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()
        if self._channel is not None:
            await self._channel.close()

    async def _answer(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        headers, method = read_headers(scope["headers"]), scope["method"]
        head = [*protection(headers, scope["scheme"]), *self._guard.cross_origin(headers)]
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if refusal := self._refusal(headers, method, kind, scope):
            await drain(receive)
            status, sentence = refusal
            allow = [(b"allow", b"POST" if scope["path"] in self._methods else b"GET, HEAD")]
            head += [PLAIN, *(allow if status == 405 else [])]
            await answer.whole(status, head, f"{sentence}\n".encode())
        elif method == "OPTIONS":
            await answer.whole(204, [*head, *PREFLIGHT])
        elif method == "POST":
            await self._call(scope, headers, receive, WebAnswer(answer, head, text=CONTENT_TYPES[kind]))
        else:
            status, lines, body = await self._static.find(scope["path"], headers)
            await answer.whole(status, [*head, *lines], body, silent=method == "HEAD")

    def _refusal(self, headers: Headers, method: str, kind: str, scope: Scope) -> tuple[int, str] | None:
        """What is wrong with a request before it is read: an HTTP status and a sentence."""
        if not self._guard.knows_host(headers):
            return 421, "this host name is not served here"
        if not self._guard.knows_origin(headers, scope["scheme"]):
            return 403, "pages of this origin may not call here"
        if method == "POST" and kind not in CONTENT_TYPES:
            return 415, f"content-type: one of {', '.join(CONTENT_TYPES)}"
        if method == "OPTIONS" and "access-control-request-method" in headers:
            return None
        reads = method in {"GET", "HEAD"} and scope["path"] not in self._methods
        return None if reads or method == "POST" else (405, f"{method} is not for this path")

    async def _call(self, scope: Scope, headers: Headers, receive: Receive, web: WebAnswer) -> None:
        try:
            with self._seat():
                await self._relay(scope, headers, receive, web)
        except BadCall as refusal:
            await web.end(refusal.code, refusal.sentence)

    @contextmanager
    def _seat(self) -> Iterator[None]:
        """A place among the open calls. Raises BadCall when there is none."""
        if self._closing:
            raise BadCall(StatusCode.UNAVAILABLE, "the control plane is ending")
        if self._taken >= MAX_CALLS:
            raise BadCall(StatusCode.RESOURCE_EXHAUSTED, f"{MAX_CALLS} calls are open already")
        self._taken += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._taken -= 1
            if not self._taken:
                self._idle.set()

    async def _relay(self, scope: Scope, headers: Headers, receive: Receive, web: WebAnswer) -> None:
        limit = MESSAGE_BYTES + HEADER_BYTES
        body = await read_body(receive, limit * 4 // 3 + 4 if web.text else limit)
        path = scope["path"]
        if path not in self._methods:
            raise BadCall(StatusCode.UNIMPLEMENTED, "there is no such method")
        if headers.get("content-encoding", "identity") != "identity":
            raise BadCall(StatusCode.UNIMPLEMENTED, "content-encoding: compressed bodies are not accepted")
        message = message_of(from_text(body) if web.text else body)
        metadata = metadata_of(headers, client[0] if (client := scope.get("client")) else "unknown")
        timeout = timeout_of(headers, self._methods[path])
        relay = Relay(self._upstream(), path, self._methods[path], web)
        self._relays.add(relay)
        try:
            await relay.run(message, metadata, timeout, receive)
        finally:
            self._relays.discard(relay)

    def _upstream(self) -> Channel:
        """The channel, made in the loop that uses it."""
        if self._channel is None:
            self._channel = insecure_channel(self._target, [("grpc.use_local_subchannel_pool", 1)])
        return self._channel
