"""The bytes of gRPC-web: frames of a message or of trailers, plain or as base64.

Source: the gRPC-web protocol (grpc/doc/PROTOCOL-WEB.md) and gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md).
"""

import base64
import binascii
import re
from collections.abc import Iterable

from grpc import StatusCode

HEADER_BYTES = 5
COMPRESSED, TRAILERS = 0x01, 0x80
RESERVED = {"grpc-status", "grpc-message"}

Metadata = Iterable[tuple[str, str | bytes]]


class BadCall(Exception):
    """A call that the door refuses by itself: its status code and one sentence."""

    def __init__(self, code: StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def frame(payload: bytes, flags: int = 0) -> bytes:
    """One frame: a byte of flags, the length in four bytes (big endian), the payload."""
    return bytes([flags]) + len(payload).to_bytes(4, "big") + payload


def message_of(body: bytes) -> bytes:
    """The message of a request, which is exactly one uncompressed frame. Raises BadCall."""
    if len(body) < HEADER_BYTES:
        raise _malformed(f"{len(body)} bytes are no frame")
    flags, length = body[0], int.from_bytes(body[1:HEADER_BYTES], "big")
    if flags & COMPRESSED:
        raise BadCall(StatusCode.UNIMPLEMENTED, "body: compressed messages are not accepted")
    if flags:
        raise _malformed(f"a frame with the flags {flags:#04x} is no message")
    present = len(body) - HEADER_BYTES
    if present < length:
        raise _malformed(f"the frame says {length} bytes and has {present}")
    if present > length:
        raise _malformed(f"{present - length} bytes follow the one frame of a request")
    return body[HEADER_BYTES:]


def from_text(body: bytes) -> bytes:
    """The bytes behind a grpc-web-text body: base64 in one or several padded pieces. Raises BadCall."""
    pieces = re.findall(rb"[^=]+=*|=+", body)
    try:
        return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
    except binascii.Error:
        raise _malformed("it is not base64") from None


def trailer_frame(code: int, sentence: str, metadata: Metadata = ()) -> bytes:
    """The last frame of an answer: the status, its sentence percent-encoded, and the trailing metadata."""
    lines = [f"grpc-status: {code}"]
    if sentence:
        lines.append(f"grpc-message: {percent_encoded(sentence)}")
    lines += [f"{name}: {_text(value)}" for name, value in metadata if name not in RESERVED]
    return frame("".join(f"{line}\r\n" for line in lines).encode("latin-1"), TRAILERS)


def percent_encoded(sentence: str) -> str:
    """The sentence in printable ASCII: every other byte of its UTF-8, and the percent sign, as %XX."""
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}"
        for byte in sentence.encode("utf-8", "replace")
    )


def _text(value: str | bytes) -> str:
    """Binary metadata (`...-bin`) comes as bytes and is written as base64 without padding."""
    return base64.b64encode(value).decode().rstrip("=") if isinstance(value, bytes) else value


def _malformed(what: str) -> BadCall:
    return BadCall(StatusCode.INVALID_ARGUMENT, f"body: {what}")
