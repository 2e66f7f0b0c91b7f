"""One call through the door: the request's bytes up, the answer's frames down, until either side ends it."""

import asyncio
import base64

from grpc import StatusCode
from grpc.aio import AioRpcError, Call, Channel, UnaryStreamMultiCallable, UnaryUnaryMultiCallable

from control.door.asgi import Answer, Receive, until_gone
from control.door.frames import Metadata, frame, trailer_frame
from control.door.guard import RawHeaders


class WebAnswer:
    """A gRPC-web answer: HTTP 200, frames of messages, and the status in a frame of trailers."""

    def __init__(self, answer: Answer, headers: RawHeaders, text: bool) -> None:
        kind = b"application/grpc-web-text+proto" if text else b"application/grpc-web+proto"
        self._head = [*headers, (b"content-type", kind), (b"cache-control", b"no-store")]
        self._answer = answer
        self.text = text
        self._begun = False

    async def begin(self) -> None:
        """Send the head, so that the client knows at once that its stream stands."""
        if not self._begun:
            self._begun = True
            await self._answer.begin(200, self._head)

    async def message(self, message: bytes) -> None:
        """Send one message of a stream."""
        await self.begin()
        await self._answer.write(self._coded(frame(message)))

    async def end(
        self, code: StatusCode, sentence: str = "", metadata: Metadata = (), message: bytes | None = None
    ) -> None:
        """Send the last message, where there is one, and the status."""
        await self.begin()
        last = b"" if message is None else frame(message)
        trailers = trailer_frame(code.value[0], sentence, metadata)
        await self._answer.write(self._coded(last + trailers), more=False)

    def _coded(self, data: bytes) -> bytes:
        return base64.b64encode(data) if self.text else data


class Relay:
    """A call upstream and the answer that it fills.

    When the client leaves, the call upstream is cancelled; `stop` ends the answer with UNAVAILABLE.
    """

    def __init__(self, channel: Channel, path: str, streaming: bool, answer: WebAnswer) -> None:
        self._channel = channel
        self._path = path
        self._streaming = streaming
        self._answer = answer
        self._call: Call | None = None
        self._stopped = False

    async def run(
        self, message: bytes, metadata: tuple[tuple[str, str], ...], timeout: float | None, receive: Receive
    ) -> None:
        """Make the call and hand on what comes of it. Raises Gone when the client reads too slowly."""
        make = self._stream if self._streaming else self._unary
        watch = asyncio.create_task(until_gone(receive))
        watch.add_done_callback(lambda _: self._cancel())
        try:
            await make(message, metadata, timeout)
        except AioRpcError as error:
            await self._answer.end(error.code(), _sentence(error), error.trailing_metadata() or ())
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            if self._stopped:
                await self._answer.end(StatusCode.UNAVAILABLE, "the control plane is ending")
        finally:
            self._cancel()
            watch.cancel()

    def stop(self) -> None:
        """End the call from our side."""
        self._stopped = True
        self._cancel()

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()

    async def _unary(
        self, message: bytes, metadata: tuple[tuple[str, str], ...], timeout: float | None
    ) -> None:
        method: UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(self._path)
        call = method(message, metadata=metadata, timeout=timeout)
        self._call = call
        reply = await call
        await self._answer.end(StatusCode.OK, metadata=await call.trailing_metadata(), message=reply)

    async def _stream(
        self, message: bytes, metadata: tuple[tuple[str, str], ...], timeout: float | None
    ) -> None:
        method: UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(self._path)
        call = method(message, metadata=metadata, timeout=timeout)
        self._call = call
        await self._answer.begin()
        async for each in call:
            await self._answer.message(each)
        await self._answer.end(StatusCode.OK, metadata=await call.trailing_metadata())


def _sentence(error: AioRpcError) -> str:
    """What the service says; where nobody answers, not the path of the socket that the library names."""
    text = error.details() or ""
    unreachable = error.code() is StatusCode.UNAVAILABLE and "unix:" in text
    return "the control plane does not answer" if unreachable else text
