"""Calls of a service: each with the token, a deadline, and errors that a user can read."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import grpc

from tui.client.session import Session
from tui.client.target import Target

DEADLINE_SECONDS = 5.0

# Called without a token.
PUBLIC = {"SignIn", "SignInLocally", "RefreshTokens"}


class Service:
    """A generated stub, seen by its user with the stub's own type: the same methods, with the same requests.

    A unary method takes `timeout` (seconds, 5 by itself). A streaming one ends with its server, or with the
    user of the iterator. Both raise ClientError.
    """

    def __init__(self, stub: object, session: Session, target: Target) -> None:
        self._stub = stub
        self._session = session
        self._target = target

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._stub, name)
        streams = isinstance(method, grpc.aio.UnaryStreamMultiCallable)
        return partial(self._stream if streams else self._call, method, public=name in PUBLIC)

    async def _call(
        self, method: Any, request: Any, *, public: bool, timeout: float = DEADLINE_SECONDS
    ) -> Any:
        with self._target.translated():
            if public:
                return await method(request, timeout=timeout)
            token = await self._session.token()
            try:
                return await method(request, timeout=timeout, metadata=bearer(token))
            except grpc.aio.AioRpcError as error:
                if not is_signed_out(error):
                    raise
            token = await self._session.renew(token)
            return await method(request, timeout=timeout, metadata=bearer(token))

    async def _stream(self, method: Any, request: Any, *, public: bool) -> AsyncIterator[Any]:
        with self._target.translated():
            token = "" if public else await self._session.token()
            first = True
            try:
                async for message in method(request, metadata=bearer(token)):
                    first = False
                    yield message
                return
            except grpc.aio.AioRpcError as error:
                if public or not first or not is_signed_out(error):
                    raise
            token = await self._session.renew(token)
            async for message in method(request, metadata=bearer(token)):
                yield message


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that carries an access token."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def is_signed_out(error: grpc.aio.AioRpcError) -> bool:
    """Whether a call failed for want of a valid token."""
    return error.code() is grpc.StatusCode.UNAUTHENTICATED
