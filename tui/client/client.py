"""The client: one channel, one session, every service."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Self, TypeVar, cast

from autotrader.v1 import (
    account_pb2_grpc,
    audit_pb2_grpc,
    common_pb2,
    decision_pb2_grpc,
    engine_pb2_grpc,
    event_pb2,
    event_pb2_grpc,
    log_pb2_grpc,
    market_pb2_grpc,
    portfolio_pb2_grpc,
    risk_pb2_grpc,
    run_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    strategy_pb2_grpc,
)
from tui.client.calls import Service
from tui.client.session import Session
from tui.client.subscription import Subscribed, Subscription
from tui.client.target import Target, find_target

Stub = TypeVar("Stub")

TOKEN_VARIABLE = "AUTOTRADER_TOKEN"
CERT_VARIABLE = "AUTOTRADER_TLS_CERT"
KEY_VARIABLE = "AUTOTRADER_TLS_KEY"


def connect(target: str | None = None, *, listen: str = "", tls_ca: str = "") -> "Client":
    """A client of the engine at `target` ("HOST:PORT"), else at `listen`, else at the default.

    `listen` is the setting control.listen. Uses the access token in AUTOTRADER_TOKEN, else the credential
    file; and the client certificate in the files AUTOTRADER_TLS_CERT and AUTOTRADER_TLS_KEY. Nothing is
    sent before the first call. Raises BadTarget, BadCredentials.
    """
    token, cert, key = (os.environ.get(name, "") for name in (TOKEN_VARIABLE, CERT_VARIABLE, KEY_VARIABLE))
    found = find_target(target, listen=listen, tls_ca=tls_ca, tls_cert=cert, tls_key=key)
    return Client(found, token=token)


def request_id() -> str:
    """A fresh id for a command: sent again with the same id, a command is still done once."""
    return secrets.token_hex(16)


class Client:
    """Every service of one engine, as attributes: `await client.engine.Pause(PauseRequest(...))`.

    To be used in the event loop that made it, best by `async with`. Calls raise ClientError: ControlError
    when the engine refuses, Unreachable when it does not answer, SignInNeeded when a person must sign in.
    """

    if TYPE_CHECKING:
        accounts: account_pb2_grpc.AccountServiceAsyncStub
        audit: audit_pb2_grpc.AuditServiceAsyncStub
        decisions: decision_pb2_grpc.DecisionServiceAsyncStub
        engine: engine_pb2_grpc.EngineServiceAsyncStub
        logs: log_pb2_grpc.LogServiceAsyncStub
        market: market_pb2_grpc.MarketServiceAsyncStub
        portfolio: portfolio_pb2_grpc.PortfolioServiceAsyncStub
        risk: risk_pb2_grpc.RiskServiceAsyncStub
        runs: run_pb2_grpc.RunServiceAsyncStub
        sessions: session_pb2_grpc.SessionServiceAsyncStub
        strategies: strategy_pb2_grpc.StrategyServiceAsyncStub

    def __init__(self, target: Target, *, token: str = "", name: str = "") -> None:
        """`token`: a ready access token. `name`: what the list of sessions says of this client."""
        self.target = target
        self._channel = target.channel()
        stub = session_pb2_grpc.SessionServiceStub(self._channel)
        name = name or f"console on {socket.gethostname()}"
        self._session = Session(stub, target, token, name)
        self._events = event_pb2_grpc.EventServiceStub(self._channel)
        self.accounts = self._service(account_pb2_grpc.AccountServiceStub(self._channel))
        self.audit = self._service(audit_pb2_grpc.AuditServiceStub(self._channel))
        self.decisions = self._service(decision_pb2_grpc.DecisionServiceStub(self._channel))
        self.engine = self._service(engine_pb2_grpc.EngineServiceStub(self._channel))
        self.logs = self._service(log_pb2_grpc.LogServiceStub(self._channel))
        self.market = self._service(market_pb2_grpc.MarketServiceStub(self._channel))
        self.portfolio = self._service(portfolio_pb2_grpc.PortfolioServiceStub(self._channel))
        self.risk = self._service(risk_pb2_grpc.RiskServiceStub(self._channel))
        self.runs = self._service(run_pb2_grpc.RunServiceStub(self._channel))
        self.sessions = self._service(stub)
        self.strategies = self._service(strategy_pb2_grpc.StrategyServiceStub(self._channel))

    def _service(self, stub: Stub) -> Stub:
        return cast(Stub, Service(stub, self._session, self.target))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled.

        The session lives on until it is signed out or ends.
        """
        await self._channel.close()

    @property
    def caller(self) -> session_pb2.Caller:
        """Who is signed in, as the last sign-in told; empty before the first call and with a ready token."""
        return self._session.caller

    @property
    def local(self) -> bool:
        """Whether the client is signed in as the owner of the engine's machine."""
        return self._session.local

    async def sign_in(self, name: str, password: str) -> session_pb2.Caller:
        """Sign in with a name and a password; later calls carry the new session's token."""
        with self.target.translated():
            return await self._session.sign_in(name, password)

    async def sign_out(self) -> None:
        """End the session on the engine, and forget its tokens; waits a second at most."""
        try:
            await self.sessions.SignOut(session_pb2.SignOutRequest(), timeout=1)
        finally:
            self._session.forget()

    def reauthentication(self, password: str = "") -> common_pb2.Reauthentication:
        """The proof that a dangerous act asks for: the password, or the local secret when signed in locally.

        Empty when there is neither. Raises BadCredentials.
        """
        if password:
            return common_pb2.Reauthentication(password=password)
        credential = self.target.credential() if self.local else None
        return (
            common_pb2.Reauthentication(local_secret=credential.secret)
            if credential
            else common_pb2.Reauthentication()
        )

    def subscribe(
        self, topics: Sequence["event_pb2.Topic.ValueType"], symbols: Sequence[str] = ()
    ) -> AsyncIterator[Subscribed]:
        """What changes, from now on and for ever: an iterator that does not end by itself.

        It gives messages, `Lost` when the engine goes away, `Back` when it returns. After `Back` the
        messages go on where they ended. Raises ControlError, SignInNeeded.
        """
        return Subscription(self._events, self._session, self.target, topics, symbols).updates()
