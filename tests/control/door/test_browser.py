"""The door in a real browser: a small page calls over HTTP/2 with TLS, and over HTTP from other origins."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.async_api import Page, async_playwright

from autotrader.v1 import engine_pb2, event_pb2
from control.door.app import Door
from control.door.frames import HEADER_BYTES
from control.door.serve import serve_door
from tests.control.door.upstream import (
    KILL,
    METHODS,
    REFUSAL,
    STATUS,
    SUBSCRIBE,
    Upstream,
    kill,
    subscribe,
    until,
)

CHROMIUM = Path("/usr/bin/chromium")
SCRIPT = Path(__file__).with_name("page.js")
INDEX = "<!doctype html><title>page</title><script src='/page.js'></script><script>window.inline = 1</script>"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser: {CHROMIUM} is missing")


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """The page, with a script of its own and one inline."""
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "page.js").write_bytes(SCRIPT.read_bytes())
    return tmp_path


@asynccontextmanager
async def browser_page() -> AsyncIterator[Page]:
    """An empty page of a new browser, which takes our authority for unknown and goes on."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            context = await browser.new_context(ignore_https_errors=True)
            yield await context.new_page()
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(door: Door, tls: ssl.SSLContext) -> AsyncIterator[Page]:
    """The door's own page."""
    shutdown = asyncio.Event()
    served = await serve_door(door, "127.0.0.1:0", tls, shutdown)
    try:
        async with browser_page() as page:
            await page.goto(f"https://{served.address}/")
            yield page
    finally:
        shutdown.set()
        await served.ended


def message(body: bytes) -> list[int]:
    """What a page sends: the page makes the frame itself."""
    return list(body[HEADER_BYTES:])


async def outcome(page: Page, path: str, body: bytes, base: str = "", **headers: str) -> Any:
    """A call from within the page, to its end."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await page.evaluate(
        "([base, path, message, headers]) => client.outcome(base, path, message, headers)",
        [base, path, message(body), named],
    )


async def test_page_calls_over_http2_and_hears_answers_refusals_and_deadlines(
    socket: Path, upstream: Upstream, static: Path, context: ssl.SSLContext
) -> None:
    async with open_page(Door(socket, METHODS, static=static), context) as page:
        status = await outcome(page, STATUS, b"\0" * HEADER_BYTES, authorization="Bearer abc")
        assert (status["http"], status["trailers"]) == (200, {"grpc-status": "0"})
        answer = engine_pb2.GetStatusResponse.FromString(bytes(status["messages"][0]))
        assert answer.status.quote == "USDT"
        assert upstream.metadata["authorization"] == "Bearer abc"
        assert upstream.metadata["x-forwarded-for"] == "127.0.0.1"
        assert "Chrom" in str(upstream.metadata["x-user-agent"])

        refused = await outcome(page, KILL, kill("refuse"))
        assert (refused["http"], refused["messages"]) == (200, [])
        assert refused["trailers"]["grpc-status"] == "9"
        assert unquote(refused["trailers"]["grpc-message"]) == REFUSAL
        assert refused["trailers"]["grpc-status-details-bin"]

        late = await outcome(page, KILL, kill("wait"), grpc_timeout="200m")
        assert late["trailers"]["grpc-status"] == "4"
        unknown = await outcome(page, "/autotrader.v1.EngineService/Nothing", kill(""))
        assert (unknown["http"], unknown["trailers"]["grpc-status"]) == (200, "12")

        protocols = "performance.getEntriesByType('resource').map((each) => each.nextHopProtocol)"
        assert set(await page.evaluate(protocols)) == {"h2"}


async def test_page_hears_streams_as_they_come_and_ends_them(
    socket: Path, upstream: Upstream, static: Path, context: ssl.SSLContext
) -> None:
    async with open_page(Door(socket, METHODS, static=static), context) as page:
        stream = await outcome(page, SUBSCRIBE, subscribe(100))
        answers = [event_pb2.SubscribeResponse.FromString(bytes(each)) for each in stream["messages"]]
        assert [each.sequence for each in answers] == list(range(1, 101))
        assert stream["trailers"] == {"grpc-status": "0"}
        partly = await outcome(page, SUBSCRIBE, subscribe(2, "refuse"))
        assert (len(partly["messages"]), partly["trailers"]["grpc-status"]) == (2, "9")

        # More than the six connections that a browser opens to one host over HTTP/1.1.
        begin = """async ([path, message]) => {
            window.leaving = new AbortController();
            const begun = () => client.call("", path, message, {}, leaving.signal);
            window.calls = Array.from({ length: 12 }, begun);
            return await Promise.all(calls.map((each) => each.first));
        }"""
        heard = await page.evaluate(begin, [SUBSCRIBE, message(subscribe(1, "wait"))])
        assert min(heard) > 0
        assert upstream.open == 12
        leave = """async () => {
            leaving.abort();
            const ends = await Promise.allSettled(calls.map((each) => each.whole));
            return ends.map((each) => each.reason.name);
        }"""
        assert set(await page.evaluate(leave)) == {"AbortError"}
        await until(lambda: upstream.open == 0)


async def test_page_that_is_closed_ends_its_streams_and_a_door_that_closes_says_so(
    socket: Path, upstream: Upstream, static: Path, context: ssl.SSLContext
) -> None:
    door = Door(socket, METHODS, static=static)
    async with open_page(door, context) as page:
        begin = "([path, message]) => { client.call('', path, message) }"
        await page.evaluate(begin, [SUBSCRIBE, message(subscribe(1, "wait"))])
        await until(lambda: upstream.open == 1)
        await page.goto("about:blank")
        await until(lambda: upstream.open == 0)

        await page.go_back()
        ending = asyncio.create_task(outcome(page, SUBSCRIBE, subscribe(1, "wait")))
        await until(lambda: upstream.open == 1)
        await door.close()
        assert (await ending)["trailers"]["grpc-status"] == "14"


async def test_page_runs_its_own_scripts_and_no_inline_ones(
    socket: Path, upstream: Upstream, static: Path, context: ssl.SSLContext
) -> None:
    async with open_page(Door(socket, METHODS, static=static), context) as page:
        assert await page.evaluate("[typeof window.client, typeof window.inline]") == ["object", "undefined"]


@asynccontextmanager
async def foreign_server() -> AsyncIterator[int]:
    """A page that is not the door's, at every name of this machine; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = f"<!doctype html><script>{SCRIPT.read_text()}</script>".encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{head}connection: close\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_page_of_another_origin_calls_only_where_it_is_allowed(
    socket: Path, upstream: Upstream
) -> None:
    shutdown = asyncio.Event()
    async with foreign_server() as port:
        door = Door(socket, METHODS, origins=[f"http://localhost:{port}"])
        served = await serve_door(door, "127.0.0.1:0", None, shutdown)
        base = f"http://{served.address}"
        async with browser_page() as page:
            await page.goto(f"http://127.0.0.1:{port}/")
            assert await outcome(page, STATUS, b"\0" * HEADER_BYTES, base) == {"error": "TypeError"}
            assert not upstream.metadata
            await page.goto(f"http://localhost:{port}/")
            allowed = await outcome(page, STATUS, b"\0" * HEADER_BYTES, base, grpc_timeout="5S")
            assert allowed["trailers"] == {"grpc-status": "0"}
        shutdown.set()
        await served.ended
