"""Which pages may speak to the door: known hosts, against DNS rebinding, and known origins."""

import re
from dataclasses import dataclass

from control.door.headers import Headers

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
HSTS_SECONDS = 30 * 24 * 3600
POLICY = (
    "default-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Guard:
    """Hosts (names or addresses, without ports) and, beside the door's own, origins that are served."""

    hosts: frozenset[str]
    origins: frozenset[str]

    def knows_host(self, headers: Headers) -> bool:
        """Whether the request is addressed to a name of ours."""
        return host_name(headers.get("host", "")) in self.hosts | LOOPBACK_NAMES

    def knows_origin(self, headers: Headers, scheme: str) -> bool:
        """Whether the page that asks is ours or allowed; a program that is no browser names none."""
        origin = headers.get("origin")
        own = f"{scheme}://{headers.get('host', '').lower()}"
        return origin is None or origin == own or origin in self.origins

    def cross_origin(self, headers: Headers) -> RawHeaders:
        """What lets a page of another, allowed origin read the answer."""
        origin = headers.get("origin")
        named = (
            [(b"access-control-allow-origin", origin.encode())] if origin in self.origins and origin else []
        )
        return [*named, (b"vary", b"origin")]


def host_name(host: str) -> str | None:
    """The name or address of a Host header, in small letters, without port and brackets."""
    match = HOST.fullmatch(host)
    return (match[1] or match[2]).lower().removesuffix(".") if match else None


def protection(headers: Headers, scheme: str) -> RawHeaders:
    """What tells a browser to load nothing foreign, guess no type, tell nobody, and stay on TLS."""
    lines = [
        (b"content-security-policy", POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]
    # On a loopback name it would bind every other program on this machine too.
    if scheme == "https" and host_name(headers.get("host", "")) not in LOOPBACK_NAMES:
        lines.append((b"strict-transport-security", f"max-age={HSTS_SECONDS}".encode()))
    return lines
