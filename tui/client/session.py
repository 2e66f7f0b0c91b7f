"""Who is signed in, and how the access token is made anew."""

import asyncio
from typing import TYPE_CHECKING

import grpc

from autotrader.v1 import session_pb2
from tui.client.credentials import Credential
from tui.client.errors import SignInNeeded
from tui.client.target import Target

if TYPE_CHECKING:
    from autotrader.v1.session_pb2_grpc import SessionServiceAsyncStub

SIGN_IN_SECONDS = 5.0


class Session:
    """Keeps the tokens of one client.

    The access token comes from the first of: a sign-in with a password, a ready token, the credential file.
    Raises what gRPC raises; `SignInNeeded` when there is none of them. `local`: it came from the credential
    file.
    """

    def __init__(
        self, stub: "SessionServiceAsyncStub", target: Target, ready_token: str, client_name: str
    ) -> None:
        self._stub = stub
        self._target = target
        self._access = ready_token
        self._ready = bool(ready_token)
        self._refresh = ""
        self._client_name = client_name[:100]
        self._lock = asyncio.Lock()
        self.caller = session_pb2.Caller()
        self.local = False

    async def sign_in(self, name: str, password: str) -> session_pb2.Caller:
        """Sign in with a name and a password; from now on this session is used."""
        request = session_pb2.SignInRequest(name=name, password=password, client=self._client_name)
        answer = await self._stub.SignIn(request, timeout=SIGN_IN_SECONDS)
        self._ready, self.local = False, False
        return self._take(answer.tokens)

    async def token(self) -> str:
        """The access token; signs in with the credential file when there is none yet."""
        return self._access or await self.renew("")

    async def renew(self, used: str) -> str:
        """A new access token in place of the one that was `used`.

        Callers that come together get the same one.
        """
        async with self._lock:
            if self._access == used:
                self._take(await self._new_tokens())
            return self._access

    def forget(self) -> None:
        """Drop the tokens; the session itself is ended by SignOut."""
        self._access, self._refresh, self._ready = "", "", False
        self.caller = session_pb2.Caller()

    def _take(self, tokens: session_pb2.Tokens) -> session_pb2.Caller:
        self._access, self._refresh = tokens.access_token, tokens.refresh_token
        self.caller = tokens.caller
        return self.caller

    async def _new_tokens(self) -> session_pb2.Tokens:
        if self._refresh:
            return await self._refreshed()
        if self._ready:
            raise SignInNeeded("the access token in AUTOTRADER_TOKEN is not valid (any more)")
        credential = self._target.credential()
        if credential is None:
            await self._see_whether_it_is_there()
            raise SignInNeeded(
                f"not signed in to {self._target.address}: give an access token in AUTOTRADER_TOKEN"
            )
        tokens = await self._signed_in_locally(credential)
        self.local = True
        return tokens

    async def _signed_in_locally(self, credential: Credential) -> session_pb2.Tokens:
        """Tokens for the secret of the credential file; read again when the engine was started meanwhile."""
        while True:
            request = session_pb2.SignInLocallyRequest(secret=credential.secret)
            try:
                return (await self._stub.SignInLocally(request, timeout=SIGN_IN_SECONDS)).tokens
            except grpc.aio.AioRpcError as error:
                newer = self._target.credential()
                if (
                    error.code() is not grpc.StatusCode.UNAUTHENTICATED
                    or newer is None
                    or newer == credential
                ):
                    raise
                credential = newer

    async def _refreshed(self) -> session_pb2.Tokens:
        request = session_pb2.RefreshTokensRequest(refresh_token=self._refresh)
        try:
            return (await self._stub.RefreshTokens(request, timeout=SIGN_IN_SECONDS)).tokens
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
            # The session was ended, by a person or by its age: only the password opens a new one.
            self._access, self._refresh = "", ""
            raise SignInNeeded("the session has ended; sign in again") from None

    async def _see_whether_it_is_there(self) -> None:
        """Raises what gRPC raises when nothing answers: a password would not help then."""
        try:
            await self._stub.GetCaller(session_pb2.GetCallerRequest(), timeout=SIGN_IN_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
