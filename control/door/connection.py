"""One connection of hypercorn, mended where its client decides how much the server keeps and for how long."""

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Event, Updated
from hypercorn.protocol import h2


class StreamBuffer(h2.StreamBuffer):
    """What waits to be sent on one HTTP/2 stream; its writer goes on when most of that is sent.

    hypercorn 0.18 looks at how little was sent, not at how little is left: with its window closed, a client
    that does not read would have the server keep the whole stream.
    """

    async def pop(self, max_length: int) -> bytes:
        """Take at most so many bytes from the front."""
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < h2.BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


# hypercorn has no place to name another buffer.
vars(h2)["StreamBuffer"] = StreamBuffer


class Connection(TCPServer):
    """A connection that ends when its client ends it; hypercorn would keep it until it was idle too long."""

    _ended = False

    async def protocol_send(self, event: Event) -> None:
        """Send what the protocol has to say; once the client is gone, idleness starts no timer any more."""
        if not (self._ended and isinstance(event, Updated)):
            await super().protocol_send(event)

    async def _read_data(self) -> None:
        await super()._read_data()
        self._ended = True
        await self.idle_task.stop()
