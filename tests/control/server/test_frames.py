"""Peers that do not speak the protocol, say too much, or say nothing: nobody else notices."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated

from tests.support.control_client import Control, bearer, connected, path_of, request_of
from tests.support.control_process import EngineProcess

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
CONNECTIONS = 1_000
STATUS = path_of("EngineService/GetStatus")
SIGN_IN = path_of("SessionService/SignIn")


def place_of(engine: EngineProcess) -> tuple[str, int]:
    host, _, port = engine.target.rpartition(":")
    return host, int(port)


async def answers(viewer: Control, engine: EngineProcess) -> None:
    """Somebody else is served as ever, on a channel of their own."""
    async with connected(engine.target) as other:
        answer = await other.as_(viewer.token).send(STATUS, b"", seconds=10)
        assert answer.code == "OK", answer


BROKEN = {
    "nothing": b"",
    "garbage": random.Random(1).randbytes(5_000),
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "half a preface": PREFACE[:10],
    "a frame of 16 MiB": PREFACE + SETTINGS + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "data of no stream": PREFACE + SETTINGS + b"\0\0\5\0\0\0\0\0\1hello",
    "headers that are no HPACK": PREFACE + SETTINGS + b"\0\0\10\1\4\0\0\0\1" + b"\xff" * 8,
    "settings on a stream": PREFACE + b"\0\0\0\4\0\0\0\0\1",
    "a window of nothing": PREFACE + SETTINGS + b"\0\0\4\10\0\0\0\0\0\0\0\0\0",
    "ten thousand settings": PREFACE + SETTINGS * 10_000,
    "ten thousand resets": PREFACE + SETTINGS + b"\0\0\4\3\0\0\0\0\1\0\0\0\10" * 10_000,
    "continuation without end": PREFACE + SETTINGS + b"\0\0\0\1\0\0\0\0\1" + b"\0\0\1\11\0\0\0\0\1\0" * 9_999,
}


@pytest.mark.parametrize("what", BROKEN)
async def test_peer_that_speaks_no_http2_is_cut_and_nobody_else_notices(
    what: str, viewer: Control, engine: EngineProcess
) -> None:
    before = await viewer.send(STATUS, b"")
    for _ in range(5):
        reader, writer = await asyncio.open_connection(*place_of(engine))
        writer.write(BROKEN[what])
        if what not in {"nothing", "half a preface"}:
            try:
                async with asyncio.timeout(10):
                    await writer.drain()
                    writer.write_eof()
                    await reader.read()
            except ConnectionError:
                pass
        writer.close()
    assert before.code == (await viewer.send(STATUS, b"")).code == "OK"
    await answers(viewer, engine)


async def test_thousand_connections_opened_and_closed_leave_nothing(
    viewer: Control, engine: EngineProcess
) -> None:
    await answers(viewer, engine)
    files, memory = engine.open_files(), engine.memory_mb()
    for _ in range(CONNECTIONS // 100):
        pairs = [await asyncio.open_connection(*place_of(engine)) for _ in range(100)]
        for number, (_, writer) in enumerate(pairs):
            writer.write((PREFACE + SETTINGS)[: number % 40])
        for _, writer in pairs:
            writer.close()
    await answers(viewer, engine)
    async with asyncio.timeout(30):
        while engine.open_files() > files + 10:
            await asyncio.sleep(0.1)
    assert engine.memory_mb() - memory < 40


async def test_request_over_a_mebibyte_is_refused(viewer: Control, engine: EngineProcess) -> None:
    path = path_of("EngineService/Kill")
    answer = await viewer.send(path, b"\x0a\xff\xff\x7f" + b"a" * (2 << 20))
    assert answer.code in {"RESOURCE_EXHAUSTED", "PERMISSION_DENIED"}
    path = path_of("MarketService/ListCandles")
    answer = await viewer.send(path, request_of(path, symbol="x" * (1 << 20)))
    assert answer.code == "RESOURCE_EXHAUSTED"
    await answers(viewer, engine)


async def test_metadata_beyond_its_bound_is_refused(viewer: Control, engine: EngineProcess) -> None:
    metadata = [*bearer(viewer.token), *((f"x-{number}", "y" * 4_000) for number in range(20))]
    answer = await viewer.send(STATUS, b"", metadata=metadata)
    assert answer.code == "RESOURCE_EXHAUSTED", answer
    for value in ("Bearer " + "x" * 9_000, "Bearer", "bearer  ", "Bearer a b c"):
        answer = await viewer.send(STATUS, b"", metadata=[("authorization", value)])
        assert answer.code == "UNAUTHENTICATED", answer
    doubled = [*bearer("garbage"), *bearer("more garbage")]
    assert (await viewer.send(STATUS, b"", metadata=doubled)).code == "UNAUTHENTICATED"
    await answers(viewer, engine)


async def test_strangers_that_begin_calls_and_never_send_a_request_hold_nobody_up(
    viewer: Control, engine: EngineProcess
) -> None:
    async with together(engine, 13) as strangers:
        calls = [channel.stream_unary(SIGN_IN)(timeout=60) for channel in strangers for _ in range(90)]
        asked = [channel.stream_unary(STATUS)(timeout=60) for channel in strangers]
        async with asyncio.timeout(20):
            assert {await call.code() for call in asked} == {grpc.StatusCode.UNAUTHENTICATED}
            refused = {await call.code() for call in calls[-200:]}
        # Who has not sent all of a request may see the reset of its stream first.
        assert grpc.StatusCode.RESOURCE_EXHAUSTED in refused
        assert refused <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}
        await answers(viewer, engine)
        for call in calls:
            call.cancel()
    await answers(viewer, engine)


@asynccontextmanager
async def together(engine: EngineProcess, count: int) -> AsyncIterator[list[Any]]:
    """Channels, each a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(engine.target, options=options) for _ in range(count)]
    yield channels
    for channel in channels:
        await channel.close()


async def test_peer_that_pings_all_the_time_is_cut(viewer: Control, engine: EngineProcess) -> None:
    reader, writer = await asyncio.open_connection(*place_of(engine))
    connection = H2Connection(H2Configuration(client_side=True))
    connection.initiate_connection()
    for number in range(50):
        connection.ping(number.to_bytes(8, "big"))
    writer.write(connection.data_to_send())
    ended = None
    async with asyncio.timeout(10):
        while ended is None and (data := await reader.read(65_536)):
            found = connection.receive_data(data)
            ended = next((each for each in found if isinstance(each, ConnectionTerminated)), None)
    assert ended is not None and ended.additional_data == b"too_many_pings"
    writer.close()
    await answers(viewer, engine)


async def test_door_with_all_its_streams_open_still_takes_a_command(
    viewer: Control, engine: EngineProcess
) -> None:
    """As many streams as the door has places but one."""
    path = path_of("EventService/Subscribe")
    body = request_of(path, topics=["TOPIC_RUNS"]).SerializeToString()
    opened = [await web_call(engine, viewer, path, body) for _ in range(200)]
    try:
        async with asyncio.timeout(20):
            heads = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in opened))
            assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
            reader, writer = await web_call(engine, viewer, STATUS, b"")
            answer = await reader.readuntil(b"grpc-status")
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()
    finally:
        for _, writer in opened:
            writer.close()


async def web_call(
    engine: EngineProcess, caller: Control, path: str, message: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A gRPC-web call that has been sent."""
    address = engine.credential["web"].removeprefix("http://")
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b"\0" + len(message).to_bytes(4, "big") + message
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {caller.token}\r\n"
        f"content-type: application/grpc-web+proto\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    return reader, writer


async def test_server_listens_on_loopback_alone(engine: EngineProcess) -> None:
    ports = {int(engine.credential[name].rpartition(":")[2]) for name in ("target", "web")}
    found = {}
    for family, size in (("tcp", 8), ("tcp6", 32)):
        with open(f"/proc/{engine.pid}/net/{family}", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        for row in rows:
            host, _, port = row[1].rpartition(":")
            if row[3] == "0A" and row[9] in inodes_of(engine):
                assert len(host) == size
                # An address of IPv4 is the last of four words, each turned round.
                found[int(port, 16)] = socket.inet_ntoa(bytes.fromhex(host[-8:])[::-1])
                assert host[:-8] in {"", "0000000000000000FFFF0000"}
    assert found == dict.fromkeys(ports, "127.0.0.1")


def inodes_of(engine: EngineProcess) -> set[str]:
    """The sockets of the process."""

    found = set()
    for name in os.listdir(f"/proc/{engine.pid}/fd"):
        try:
            link = os.readlink(f"/proc/{engine.pid}/fd/{name}")
        except OSError:
            continue
        if link.startswith("socket:["):
            found.add(link[8:-1])
    return found
