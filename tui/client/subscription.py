"""The stream of what changes, over lost connections and ended tokens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from autotrader.v1 import event_pb2
from tui.client.calls import bearer, is_signed_out
from tui.client.errors import ControlError, Unreachable
from tui.client.session import Session
from tui.client.target import Target

if TYPE_CHECKING:
    from autotrader.v1.event_pb2_grpc import EventServiceAsyncStub

# The server says something at least every 2 seconds.
SILENCE_SECONDS = 6.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0

# Asking again would get the same answer.
FINAL = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}


@dataclass(frozen=True, slots=True)
class Lost:
    """The server is away; it is looked for until it is back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Back:
    """The server is there again.

    The next item is its first message, which goes on where the last one ended.
    """


Subscribed = event_pb2.SubscribeResponse | Lost | Back


class Subscription:
    """Asks for topics and symbols, and remembers how far it was told."""

    def __init__(
        self,
        stub: "EventServiceAsyncStub",
        session: Session,
        target: Target,
        topics: Sequence["event_pb2.Topic.ValueType"],
        symbols: Sequence[str],
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._stub = stub
        self._session = session
        self._target = target
        self._request = event_pb2.SubscribeRequest(topics=topics, symbols=symbols)
        self._silence_seconds = silence_seconds

    async def updates(self) -> AsyncIterator[Subscribed]:
        """Messages as they come; `Lost` once when the server goes away, `Back` when it answers again.

        Never ends by itself. Raises ControlError when the server refuses for good, SignInNeeded when the
        session has ended.
        """
        pause, lost = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                async for message in self._connection():
                    if lost:
                        yield Back()
                    pause, lost = FIRST_PAUSE_SECONDS, False
                    yield message
                reason = f"the engine at {self._target.address} ended the stream"
            except ControlError as error:
                if error.code in FINAL:
                    raise
                reason = error.sentence
            except Unreachable as error:
                reason = str(error)
            if not lost:
                yield Lost(reason)
            lost = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _connection(self) -> AsyncIterator[event_pb2.SubscribeResponse]:
        """Messages until the connection ends; the end of a token is not the end."""
        with self._target.translated():
            token, heard = await self._session.token(), True
            while True:
                try:
                    async for message in self._messages(token):
                        heard = True
                        yield message
                    return
                except grpc.aio.AioRpcError as error:
                    if not heard or not is_signed_out(error):
                        raise
                heard = False
                token = await self._session.renew(token)

    async def _messages(self, token: str) -> AsyncIterator[event_pb2.SubscribeResponse]:
        call = self._stub.Subscribe(self._request, metadata=bearer(token))
        try:
            while True:
                async with asyncio.timeout(self._silence_seconds):
                    message = await call.read()
                if not isinstance(message, event_pb2.SubscribeResponse):
                    return
                self._request.after_sequence = message.sequence
                self._request.run_id = message.run_id
                yield message
        except TimeoutError:
            raise Unreachable(
                f"the engine at {self._target.address} was silent for {self._silence_seconds:g} s"
            ) from None
        finally:
            call.cancel()
