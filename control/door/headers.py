"""What of a browser's request reaches the services: its token, its deadline, its program and its address."""

import re
from collections.abc import Iterable, Mapping

from grpc import StatusCode

from control.door.frames import BadCall

UNARY_SECONDS = 60.0
USER_AGENT_CHARACTERS = 200
UNIT_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
PRINTABLE = re.compile(r"[\x20-\x7e]+")

Headers = Mapping[str, str]


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in small letters; what comes twice is joined with a comma."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def metadata_of(headers: Headers, address: str) -> tuple[tuple[str, str], ...]:
    """The metadata of the call upstream: nothing is handed on but what is named here.

    `address` is the peer's as the server sees it; what a client says of it is not believed.
    Raises BadCall UNAUTHENTICATED for a token that no header can carry.
    """
    metadata = [("x-forwarded-for", address)]
    if "authorization" in headers:
        metadata.append(("authorization", _token(headers["authorization"])))
    program = headers.get("user-agent") or headers.get("x-user-agent", "")
    printable = "".join(PRINTABLE.findall(program))[:USER_AGENT_CHARACTERS]
    if printable:
        metadata.append(("x-user-agent", printable))
    return tuple(metadata)


def timeout_of(headers: Headers, streaming: bool) -> float | None:
    """Seconds until the call's deadline: `grpc-timeout`, for a unary call at most 60; None: no deadline.

    Raises BadCall INVALID_ARGUMENT.
    """
    wanted = _seconds(headers["grpc-timeout"]) if "grpc-timeout" in headers else None
    if streaming:
        return wanted
    return UNARY_SECONDS if wanted is None else min(wanted, UNARY_SECONDS)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,8})([HMSmun])", text, re.ASCII)
    if match is None:
        allowed = "1 to 8 digits and one of H, M, S, m, u, n"
        raise BadCall(StatusCode.INVALID_ARGUMENT, f"grpc-timeout: {text[:20]!r} is not {allowed}")
    return int(match[1]) * UNIT_SECONDS[match[2]]


def _token(value: str) -> str:
    if not PRINTABLE.fullmatch(value):
        raise BadCall(StatusCode.UNAUTHENTICATED, "authorization: holds characters that no token has")
    return value
