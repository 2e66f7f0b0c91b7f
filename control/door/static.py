"""The files of the phone client, with the right types and rules for copies; nothing outside their folder."""

import asyncio
import hashlib
import re
from pathlib import Path

from control.door.guard import RawHeaders
from control.door.headers import Headers

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
# A bundler's name with the hash of its content: another content has another name.
HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8}\.[a-z0-9.]+")
ASK_ALWAYS, KEEP = b"no-cache", b"public, max-age=31536000, immutable"
PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>autotrader</title>
<h1>autotrader</h1>
<p>This is the gRPC-web door of an autotrader engine. The phone client is not installed here.</p>
<p>From a shell: <code>autotrader status</code>, or <code>autotrader console</code>.</p>
</html>
"""

Found = tuple[int, RawHeaders, bytes]


class StaticFiles:
    """A folder of files, or a page that says what this is where there is no such folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder.resolve() if folder is not None else None

    async def find(self, path: str, headers: Headers) -> Found:
        """Status, headers and content for a path; 304 where the browser's copy is still right."""
        return await asyncio.to_thread(self._find, path, headers.get("if-none-match", ""))

    def _find(self, path: str, held: str) -> Found:
        if self._folder is None or self._read("index.html") is None:
            return self._without_client(path)
        name = path.strip("/")
        content = self._read(name)
        # The client's own paths, which have no extension, are its index.
        if content is None and "." not in name.rpartition("/")[2]:
            name, content = "index.html", self._read("index.html")
        if content is None:
            return 404, [_kind(".txt")], b"not found\n"
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        keep = KEEP if HASHED.fullmatch(name) else ASK_ALWAYS
        lines = [(b"etag", tag.encode()), (b"cache-control", keep)]
        if _has(held, tag):
            return 304, lines, b""
        return 200, [*lines, _kind(Path(name).suffix.lower())], content

    def _read(self, name: str) -> bytes | None:
        """A file's content; None for one that is not there, hidden, or outside the folder."""
        parts = name.split("/")
        if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        assert self._folder is not None
        try:
            file = self._folder.joinpath(*parts).resolve()
            inside = file.is_relative_to(self._folder) and file.is_file()
            return file.read_bytes() if inside else None
        except OSError:
            return None

    def _without_client(self, path: str) -> Found:
        lines = [_kind(".html"), (b"cache-control", b"no-store")]
        return (200 if path == "/" else 404), lines, PAGE


def _kind(suffix: str) -> tuple[bytes, bytes]:
    return b"content-type", TYPES.get(suffix, "application/octet-stream").encode()


def _has(if_none_match: str, tag: str) -> bool:
    """Whether the browser's copies, compared weakly, hold this one."""
    held = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in held or held == ["*"]
