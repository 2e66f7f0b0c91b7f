"""Hosts, origins and the headers that protect a browser."""

import pytest

from control.door.app import Door
from control.door.frames import frame
from control.door.guard import host_name
from tests.control.door.requests import GRPC_WEB, Pieces, Reply, ask, call, scope_of
from tests.control.door.upstream import STATUS, Upstream

PHONE = "https://phone.example"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("LocalHost:8443", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8443", "::1"),
        ("nas.local.", "nas.local"),
        ("", None),
        ("localhost:", None),
        ("localhost:port", None),
        ("a@localhost", None),
        ("localhost, evil.example", None),
        ("evil.example/localhost", None),
        ("::1", None),
        ("[::1", None),
        ("localhost\n", None),
    ],
)
def test_host_name_of_a_header_is_its_name_or_none(host: str, name: str | None) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8443", "[::1]:8443", "nas.local:8443", "NAS.LOCAL"])
async def test_known_host_is_served(door: Door, host: str) -> None:
    assert (await ask(door, "GET", "/", host=host)).status == 200
    assert (await call(door, STATUS, frame(b""), host=host)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.0.2.1", "", "nas.local@evil"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_unknown_host_is_misdirected(door: Door, upstream: Upstream, host: str, method: str) -> None:
    reply = Reply()
    await door(scope_of(method, STATUS, {**GRPC_WEB, "host": host}), Pieces([frame(b"")]), reply)
    assert reply.status == 421
    assert not upstream.metadata


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://localhost:9999",
        "https://localhost:8443",
        "https://phone.example.evil",
        "http://phone.example",
    ],
)
async def test_foreign_origin_is_refused_before_any_call(door: Door, upstream: Upstream, origin: str) -> None:
    reply = await call(door, STATUS, frame(b""), origin=origin)
    assert reply.status == 403
    assert "access-control-allow-origin" not in reply.headers
    assert not upstream.metadata
    preflight = await ask(door, "OPTIONS", STATUS, origin=origin, access_control_request_method="POST")
    assert preflight.status == 403


async def test_own_origin_is_served_without_cross_origin_headers(door: Door) -> None:
    reply = await call(door, STATUS, frame(b""), origin="http://localhost:8443")
    assert reply.trailers == {"grpc-status": "0"}
    assert "access-control-allow-origin" not in reply.headers


async def test_allowed_origin_may_call_and_read(door: Door) -> None:
    reply = await call(door, STATUS, frame(b""), origin=PHONE)
    assert reply.trailers == {"grpc-status": "0"}
    assert reply.headers["access-control-allow-origin"] == PHONE
    assert reply.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in reply.headers


async def test_preflight_of_an_allowed_origin_names_what_it_may_send(door: Door) -> None:
    reply = await ask(
        door,
        "OPTIONS",
        STATUS,
        origin=PHONE,
        access_control_request_method="POST",
        access_control_request_headers="authorization,x-evil",
    )
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == PHONE
    assert reply.headers["access-control-allow-methods"] == "POST"
    allowed = set(reply.headers["access-control-allow-headers"].split(", "))
    assert allowed == {"authorization", "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/nothing.js"), ("PUT", "/"), ("GET", STATUS)]
)
async def test_every_answer_protects_the_browser(door: Door, method: str, path: str) -> None:
    assert_protected(await ask(door, method, path))
    assert_protected(await ask(door, method, path, host="evil.example"))


async def test_every_call_protects_the_browser(door: Door) -> None:
    assert_protected(await call(door, STATUS, frame(b"")))
    assert_protected(await call(door, STATUS, b""))


def assert_protected(reply: Reply) -> None:
    """The headers that every answer has."""
    policy = dict(each.split(" ", 1) for each in reply.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("scheme", "host", "strict"),
    [
        ("https", "nas.local:8443", True),
        ("http", "nas.local:8443", False),
        ("https", "localhost:8443", False),
    ],
)
async def test_strict_transport_is_asked_for_on_tls_beyond_loopback(
    door: Door, scheme: str, host: str, strict: bool
) -> None:
    reply = Reply()
    await door(scope_of("GET", "/", {"host": host}, scheme), Pieces([b""]), reply)
    assert ("strict-transport-security" in reply.headers) is strict
