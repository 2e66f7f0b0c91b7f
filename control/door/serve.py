"""The door's server: hypercorn's HTTP/1.1 and HTTP/2, on connections that are counted and can be cut."""

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from control.door.app import Door
from control.door.asgi import CUT, Receive, Scope, Send
from control.door.connection import Connection
from trading.errors import OperationError

MAX_CONNECTIONS = 256
MAX_STREAMS = 100
IDLE_SECONDS = 15
HANDSHAKE_SECONDS = 10.0
UNANSWERED_MS = 30_000
HEADER_LIST_BYTES = 32 * 1024
CLOSE_SECONDS = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A door that listens: its address as HOST:PORT, and the task that ends when it is closed."""

    address: str
    ended: "asyncio.Task[None]"


async def serve_door(door: Door, bind: str, tls: ssl.SSLContext | None, shutdown: asyncio.Event) -> Served:
    """Listen on `bind` (HOST:PORT, port 0: any free one) in the running loop; returns once it listens.

    When `shutdown` is set, open calls end with UNAVAILABLE and everything is closed within 2 seconds.
    Raises OperationError when the address cannot be used.
    """
    connections = Connections(door)
    host, _, port = bind.rpartition(":")
    try:
        server = await asyncio.start_server(
            connections.take,
            host.strip("[]"),
            int(port),
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
        )
    except OSError as error:
        raise OperationError(f"control.web_listen: {bind} cannot be listened on ({error.strerror})") from None
    address = f"{host}:{server.sockets[0].getsockname()[1]}"
    return Served(address, asyncio.create_task(_until(shutdown, server, connections), name="door"))


async def _until(shutdown: asyncio.Event, server: asyncio.Server, connections: "Connections") -> None:
    try:
        await shutdown.wait()
    finally:
        server.close()
        await connections.close()


class Connections:
    """The connections of the door, at most 256; one that comes on top is cut."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._config = _config()
        self._context = WorkerContext(None)
        self._open: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        _notice_dead_peers(writer)
        app = ASGIWrapper(partial(self._serve, writer.transport.abort))
        loop = asyncio.get_running_loop()
        try:
            await Connection(app, loop, self._config, self._context, {}, reader, writer)
        except asyncio.CancelledError:
            # By `close`; asyncio's streams report a connection's task that ends as cancelled.
            writer.transport.abort()
        except Exception as error:
            log.debug("a connection of the door broke its protocol: %r", error)
            writer.transport.abort()
        finally:
            del self._open[task]

    async def close(self) -> None:
        """End the calls, then the connections; what is left after half a second is cut."""
        await self._door.close()
        await self._context.terminated.set()
        if self._open:
            await asyncio.wait(self._open, timeout=CLOSE_SECONDS)
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, cut: Any, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[CUT] = cut
        await self._door(scope, receive, send)


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = log
    config.include_server_header = False
    config.keep_alive_timeout = IDLE_SECONDS
    # At this many requests hypercorn would close an HTTP/2 connection with its open streams.
    config.keep_alive_max_requests = 2**31
    config.h2_max_concurrent_streams = MAX_STREAMS
    config.h2_max_header_list_size = HEADER_LIST_BYTES
    return config


def _notice_dead_peers(writer: asyncio.StreamWriter) -> None:
    """A peer that has vanished is noticed in 30 seconds, not after the system's quarter of an hour."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
