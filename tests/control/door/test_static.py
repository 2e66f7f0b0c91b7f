"""The files of the phone client."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.door.app import Door
from control.door.static import StaticFiles
from tests.control.door.requests import Reply, ask

INDEX = b"<!doctype html><title>phone</title>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built client, a secret beside it, and a link that leads out."""
    client = tmp_path / "client"
    (client / "assets").mkdir(parents=True)
    (client / "index.html").write_bytes(INDEX)
    (client / "assets" / "index-Bx7_q-9Z.js").write_bytes(b"run()")
    (client / "assets" / "plain.css").write_bytes(b"a {}")
    (client / "manifest.webmanifest").write_bytes(b"{}")
    (client / "data.odd").write_bytes(b"?")
    (client / ".env").write_bytes(b"SECRET")
    (tmp_path / "secret.txt").write_bytes(b"SECRET")
    (client / "leak.txt").symlink_to(tmp_path / "secret.txt")
    return client


@pytest.fixture
def door(folder: Path) -> Door:
    return Door(folder / "nobody.sock", {}, static=folder)


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [
        ("/", "text/html; charset=utf-8", INDEX),
        ("/index.html", "text/html; charset=utf-8", INDEX),
        ("/trades", "text/html; charset=utf-8", INDEX),
        ("/trades/7", "text/html; charset=utf-8", INDEX),
        ("/assets/index-Bx7_q-9Z.js", "text/javascript; charset=utf-8", b"run()"),
        ("/assets/plain.css", "text/css; charset=utf-8", b"a {}"),
        ("/manifest.webmanifest", "application/manifest+json", b"{}"),
        ("/data.odd", "application/octet-stream", b"?"),
    ],
)
async def test_file_is_sent_with_its_type(door: Door, path: str, kind: str, content: bytes) -> None:
    reply = await ask(door, "GET", path)
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, kind, content)
    assert reply.headers["content-length"] == str(len(content))


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.js",
        "/../secret.txt",
        "/assets/../../secret.txt",
        "//../secret.txt",
        "/..\\secret.txt",
        "/.env",
        "/assets/.env",
        "/./.env",
        "/leak.txt",
        "/index.html\0.txt",
        "/assets/nothing.js",
    ],
)
async def test_missing_or_hidden_file_is_not_found(door: Door, path: str) -> None:
    reply = await ask(door, "GET", path)
    assert reply.status == 404
    assert b"SECRET" not in reply.body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.one_of(st.sampled_from(["..", ".", "", "secret.txt", ".env", "assets"]), st.text(max_size=6))
    )
)
async def test_no_path_leads_to_a_hidden_file(folder: Path, parts: list[str]) -> None:
    _, _, content = await StaticFiles(folder).find("/" + "/".join(parts), {})
    assert b"SECRET" not in content


async def test_path_longer_than_a_name_may_be_is_not_found(door: Door) -> None:
    assert (await ask(door, "GET", "/" + "x" * 5000 + ".js")).status == 404
    assert (await ask(door, "GET", "/" + "x" * 5000)).status == 200


async def test_head_sends_what_get_does_without_the_content(door: Door) -> None:
    got, head = await ask(door, "GET", "/"), await ask(door, "HEAD", "/")
    assert (head.status, head.headers, head.body) == (200, got.headers, b"")


async def test_hashed_asset_is_kept_and_everything_else_asked_for_again(door: Door) -> None:
    async def rule(path: str) -> str:
        return (await ask(door, "GET", path)).headers["cache-control"]

    assert await rule("/assets/index-Bx7_q-9Z.js") == "public, max-age=31536000, immutable"
    assert {await rule(path) for path in ("/", "/trades", "/assets/plain.css")} == {"no-cache"}


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_copy_that_is_still_right_is_not_sent_again(door: Door, form: str) -> None:
    tag = (await ask(door, "GET", "/")).headers["etag"]
    reply = await ask(door, "GET", "/", if_none_match=form.format(tag))
    assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
    assert "content-length" not in reply.headers


async def test_copy_of_another_content_is_sent_again(door: Door, folder: Path) -> None:
    tag = (await ask(door, "GET", "/")).headers["etag"]
    (folder / "index.html").write_bytes(b"new")
    reply = await ask(door, "GET", "/", if_none_match=tag)
    assert (reply.status, reply.body) == (200, b"new")


async def test_door_without_a_client_says_what_it_is(tmp_path: Path) -> None:
    for static in (None, tmp_path / "nothing", tmp_path):
        alone = Door(tmp_path / "nobody.sock", {}, static=static)
        reply: Reply = await ask(alone, "GET", "/")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"gRPC-web" in reply.body
        assert (await ask(alone, "GET", "/secret.txt")).status == 404
