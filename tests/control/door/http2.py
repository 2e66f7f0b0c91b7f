"""A client of HTTP/2 that reads only when it is told to."""

import socket as sockets
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h2.connection
import h2.events

from tests.control.door.upstream import CALL


class Http2:
    """A client of one HTTP/2 connection that reads when it is told to, and frees no window by itself."""

    def __init__(self, address: str, ca: Path) -> None:
        host, _, port = address.rpartition(":")
        trust = ssl.create_default_context(cafile=str(ca))
        trust.set_alpn_protocols(["h2"])
        plain = sockets.create_connection((host, int(port)), timeout=20)
        self._socket = trust.wrap_socket(plain, server_hostname="localhost")
        assert self._socket.selected_alpn_protocol() == "h2"
        self._h2 = h2.connection.H2Connection()
        self._h2.initiate_connection()
        self._flush()

    def post(self, path: str, body: bytes) -> int:
        """Send a call; its stream's number."""
        stream = int(self._h2.get_next_available_stream_id())
        head = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost")]
        self._h2.send_headers(stream, [*head, *CALL.items()])
        while body:
            size = min(
                self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size, len(body)
            )
            if not size:
                self.read_until(lambda each: isinstance(each, h2.events.WindowUpdated))
                continue
            self._h2.send_data(stream, body[:size], end_stream=size == len(body))
            body = body[size:]
            self._flush()
        return stream

    def reset(self, stream: int) -> None:
        """Give a call up."""
        self._h2.reset_stream(stream)
        self._flush()

    def read_until(self, wanted: Callable[[Any], bool], free: bool = True) -> list[Any]:
        """The events up to a wanted one; raises ConnectionError when the connection ends before."""
        found: list[Any] = []
        while not any(map(wanted, found)):
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionResetError
            events = self._h2.receive_data(data)
            for event in events:
                if free and isinstance(event, h2.events.DataReceived):
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            found += events
            self._flush()
        return found

    def answer(self, stream: int) -> bytes:
        """The whole body of a call's answer."""
        events = self.read_until(lambda each: getattr(each, "stream_id", 0) == stream and ended(each))
        return b"".join(
            each.data
            for each in events
            if isinstance(each, h2.events.DataReceived) and each.stream_id == stream
        )

    def close(self) -> None:
        """Go away."""
        self._socket.close()

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())


def ended(event: Any) -> bool:
    """Whether a stream is at its end."""
    return isinstance(event, h2.events.StreamEnded)


@contextmanager
def http2(address: str, ca: Path) -> Iterator[Http2]:
    """A connection that is closed at the end."""
    client = Http2(address, ca)
    try:
        yield client
    finally:
        client.close()
