"""The door's server on real sockets: HTTP/1.1, HTTP/2 over TLS, its bounds and its end."""

import asyncio
import http.client
import socket as sockets
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from autotrader.v1 import engine_pb2
from cli.clock import now_ms
from control.door import asgi, serve
from control.door.app import Door
from control.door.frames import frame
from control.door.serve import Served, serve_door
from control.listening import Tls
from control.tls.development import Made
from control.tls.loading import load_tls
from tests.control.door.http2 import Http2, ended, http2
from tests.control.door.upstream import (
    CALL,
    KILL,
    METHODS,
    STATUS,
    SUBSCRIBE,
    Upstream,
    kill,
    messages_and_trailers,
    subscribe,
    until,
)
from trading.errors import OperationError


@asynccontextmanager
async def serving(
    door: Door, tls: ssl.SSLContext | None = None, bind: str = "127.0.0.1:0"
) -> AsyncIterator[Served]:
    """A listening door, shut down at the end."""
    shutdown = asyncio.Event()
    served = await serve_door(door, bind, tls, shutdown)
    try:
        yield served
    finally:
        shutdown.set()
        await served.ended


def over_http(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.request(method, path, body, headers={**CALL, **headers})
        response = connection.getresponse()
        return response.status, response.read()


async def test_door_on_any_port_tells_it_and_answers(door: Door) -> None:
    async with serving(door) as served:
        assert served.address.startswith("127.0.0.1:")
        status, body = await asyncio.to_thread(over_http, served.address, "POST", STATUS, frame(b""))
    assert status == 200
    messages, trailers = messages_and_trailers(body)
    assert engine_pb2.GetStatusResponse.FromString(messages[0]).status.quote == "USDT"
    assert trailers == {"grpc-status": "0"}


async def test_door_names_its_clients_address_upstream(door: Door, upstream: Upstream) -> None:
    async with serving(door) as served:
        await asyncio.to_thread(over_http, served.address, "POST", STATUS, frame(b""))
    assert upstream.metadata["x-forwarded-for"] == "127.0.0.1"


async def test_door_on_a_port_that_is_taken_says_so(door: Door) -> None:
    async with serving(door) as served:
        with pytest.raises(
            OperationError, match=f"control.web_listen: {served.address} cannot be listened on"
        ):
            await serve_door(door, served.address, None, asyncio.Event())


@pytest.mark.parametrize("verb", ["GET", "HEAD"])
async def test_door_over_http_sends_its_page_and_hides_its_server(door: Door, verb: str) -> None:
    def ask(address: str) -> tuple[int, bytes, list[tuple[str, str]]]:
        with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
            connection.request(verb, "/")
            response = connection.getresponse()
            return response.status, response.read(), response.getheaders()

    async with serving(door) as served:
        status, body, headers = await asyncio.to_thread(ask, served.address)
    assert status == 200
    assert bool(body) is (verb == "GET")
    assert "server" not in {name.lower() for name, _ in headers}


async def test_raw_traversal_over_http_is_not_found(door: Door) -> None:
    async with serving(door) as served:
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd"):
            status, body = await asyncio.to_thread(over_http, served.address, "GET", path)
            assert status == 404
            assert b"root:" not in body


async def test_oversize_body_over_http_is_answered(door: Door) -> None:
    async with serving(door) as served:
        big = frame(b"x" * (2 * 1024 * 1024))
        status, body = await asyncio.to_thread(over_http, served.address, "POST", KILL, big)
    assert (status, messages_and_trailers(body)[1]["grpc-status"]) == (200, "8")


async def test_connection_that_leaves_ends_its_call_upstream(door: Door, upstream: Upstream) -> None:
    def leave(address: str) -> None:
        connection = http.client.HTTPConnection(address, timeout=20)
        connection.request("POST", SUBSCRIBE, subscribe(1, "wait"), headers=CALL)
        connection.getresponse().read(5)
        connection.close()

    async with serving(door) as served:
        await asyncio.to_thread(leave, served.address)
        await asyncio.wait_for(upstream.ended.wait(), 10)


async def test_reader_who_stands_still_is_cut(
    door: Door, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "WRITE_SECONDS", 0.3)
    async with serving(door) as served:
        host, _, port = served.address.rpartition(":")
        body = subscribe(0, "flood")
        head = f"POST {SUBSCRIBE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web\r\n"
        with sockets.create_connection((host, int(port))) as client:
            client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            await asyncio.wait_for(upstream.ended.wait(), 20)
            assert upstream.sent < 1000
            received = await asyncio.to_thread(all_of, client)
    assert not received.endswith(b"\r\n0\r\n\r\n")


def all_of(client: sockets.socket) -> bytes:
    """Everything until the connection ends, properly or not."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while data := client.recv(1_000_000):
            received += data
    return bytes(received)


async def test_http2_reader_who_frees_no_window_is_cut(
    door: Door, upstream: Upstream, context: ssl.SSLContext, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "WRITE_SECONDS", 0.3)

    def stand_still(address: str) -> None:
        with http2(address, made.ca) as client, pytest.raises(OSError):
            client.post(SUBSCRIBE, subscribe(0, "flood"))
            client.read_until(ended, free=False)

    async with serving(door, context) as served:
        await asyncio.to_thread(stand_still, served.address)
        await asyncio.wait_for(upstream.ended.wait(), 20)
    assert upstream.sent < 100


async def test_http2_over_tls_carries_streams_and_calls_together(
    door: Door, upstream: Upstream, context: ssl.SSLContext, made: Made
) -> None:
    def use(address: str) -> tuple[list[bytes], bytes]:
        with http2(address, made.ca) as client:
            for _ in range(5):
                client.post(SUBSCRIBE, subscribe(1, "wait"))
            statuses = [client.answer(client.post(STATUS, frame(b""))) for _ in range(3)]
            big = client.answer(client.post(KILL, kill("x" * 900_000)))
            return statuses, big

    async with serving(door, context) as served:
        statuses, big = await asyncio.to_thread(use, served.address)
        await until(lambda: upstream.open == 0)
    assert all(messages_and_trailers(each)[1] == {"grpc-status": "0"} for each in statuses)
    assert len(messages_and_trailers(big)[0][0]) > 900_000


async def test_http2_stream_that_is_reset_ends_its_call_and_no_other(
    door: Door, upstream: Upstream, context: ssl.SSLContext, made: Made
) -> None:
    async with serving(door, context) as served:
        client = await asyncio.to_thread(Http2, served.address, made.ca)
        first, _ = (client.post(SUBSCRIBE, subscribe(0, "wait")) for _ in range(2))
        await until(lambda: upstream.open == 2)
        client.reset(first)
        await until(lambda: upstream.open == 1)
        status = await asyncio.to_thread(lambda: client.answer(client.post(STATUS, frame(b""))))
        assert messages_and_trailers(status)[1] == {"grpc-status": "0"}
        client.close()
        await until(lambda: upstream.open == 0)


async def test_http2_body_that_nobody_wants_leaves_the_connection_whole(
    door: Door, context: ssl.SSLContext, made: Made
) -> None:
    def use(address: str) -> bytes:
        with http2(address, made.ca) as client:
            client.answer(client.post("/no.Service/Method", frame(b"x" * 60_000)))
            return client.answer(client.post(STATUS, frame(b"")))

    async with serving(door, context) as served:
        answer = await asyncio.to_thread(use, served.address)
    assert messages_and_trailers(answer)[1] == {"grpc-status": "0"}


async def test_noise_on_the_port_leaves_the_door_serving(
    door: Door, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = [
        b"\x00" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnoise",
        b"\x16\x03\x01" * 50,
    ]
    async with serving(door) as served:
        host, _, port = served.address.rpartition(":")
        for each in noise:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(each)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 10)
            writer.close()
        status, _ = await asyncio.to_thread(over_http, served.address, "POST", STATUS, frame(b""))
    assert status == 200
    assert "Traceback" not in capfd.readouterr().err


async def test_connection_beyond_the_most_is_cut(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "MAX_CONNECTIONS", 1)
    async with serving(door) as served:
        host, _, port = served.address.rpartition(":")
        first, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await first.readline()).startswith(b"HTTP/1.1 200")
        second, other = await asyncio.open_connection(host, int(port))
        with suppress(ConnectionResetError):
            assert await second.read() == b""
        writer.close()
        other.close()


async def test_connection_that_its_client_ends_frees_its_place(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "MAX_CONNECTIONS", 1)
    async with serving(door) as served:
        host, _, port = served.address.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()

        async def answered() -> bool:
            with suppress(OSError):
                return (await asyncio.to_thread(over_http, served.address, "GET", "/"))[0] == 200
            return False

        async with asyncio.timeout(serve.IDLE_SECONDS / 3):
            while not await answered():
                pass


async def test_shutdown_with_open_streams_ends_them_in_two_seconds(
    socket: Path, upstream: Upstream, context: ssl.SSLContext, made: Made
) -> None:
    shutdown = asyncio.Event()
    plain = await serve_door(Door(socket, METHODS), "127.0.0.1:0", None, shutdown)
    secure = await serve_door(Door(socket, METHODS), "127.0.0.1:0", context, shutdown)

    def follow(address: str) -> bytes:
        with http2(address, made.ca) as client:
            return client.answer(client.post(SUBSCRIBE, subscribe(1, "wait")))

    def follow_plain(address: str) -> bytes:
        return over_http(address, "POST", SUBSCRIBE, subscribe(1, "wait"))[1]

    readers = [
        asyncio.create_task(asyncio.to_thread(follow_plain, plain.address)),
        asyncio.create_task(asyncio.to_thread(follow, secure.address)),
    ]
    idle, writer = await asyncio.open_connection(*plain.address.split(":"))
    await until(lambda: upstream.open == 2)
    began = time.monotonic()
    shutdown.set()
    await asyncio.gather(plain.ended, secure.ended)
    assert time.monotonic() - began < 2
    for body in await asyncio.gather(*readers):
        messages, trailers = messages_and_trailers(body)
        assert (len(messages), trailers["grpc-status"]) == (1, "14")
    assert await idle.read() == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(*plain.address.split(":"))


async def test_shutdown_before_a_reader_who_stands_still_ends_in_two_seconds(
    socket: Path, upstream: Upstream
) -> None:
    shutdown = asyncio.Event()
    served = await serve_door(Door(socket, METHODS), "127.0.0.1:0", None, shutdown)
    reader, writer = await asyncio.open_connection(*served.address.split(":"), limit=1000)
    body = subscribe(0, "flood")
    head = f"POST {SUBSCRIBE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await reader.readline()
    began = time.monotonic()
    shutdown.set()
    await served.ended
    assert time.monotonic() - began < 2
    await until(lambda: upstream.open == 0)
    writer.close()


async def test_client_certificate_is_asked_for_where_an_authority_is_set(door: Door, made: Made) -> None:
    files = Tls(str(made.server), str(made.server_key), str(made.ca))

    def ask(address: str, certificate: bool) -> int:
        trust = ssl.create_default_context(cafile=str(made.ca))
        if certificate:
            trust.load_cert_chain(made.client, made.client_key)
        with closing(http.client.HTTPSConnection(address, timeout=20, context=trust)) as connection:
            connection.request("GET", "/")
            with connection.getresponse() as response:
                return response.status

    async with serving(door, load_tls(files, now_ms()).context()) as served:
        assert await asyncio.to_thread(ask, served.address, True) == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(ask, served.address, False)
