"""SessionService: signing in and out, and who is signed in."""

import re
from collections.abc import Callable

from actors.persistence.sessions import Session
from autotrader.v1 import common_pb2, session_pb2, session_pb2_grpc
from control.arguments import cut_of, text_of
from control.auth.identity import Identity, SignedIn
from control.caller import Caller, acting, caller
from control.calls import Context, address_of, from_this_machine
from control.faults import denied, invalid
from control.rows import timestamp

MOST_CLIENT = 100
_TOKEN = re.compile(r"(\d{1,15})\.([0-9a-f]{32})")


class SessionServicer(session_pb2_grpc.SessionServiceServicer):
    """What the identity answers, as messages."""

    def __init__(self, identity: Identity, now_ms: Callable[[], int]) -> None:
        self._identity = identity
        self._now_ms = now_ms

    async def SignIn(
        self, request: session_pb2.SignInRequest, context: Context
    ) -> session_pb2.SignInResponse:
        """Tokens for a name and a password."""
        client = text_of("client", request.client, MOST_CLIENT)
        if not request.password:
            raise invalid("password", "is empty")
        signed_in = await self._identity.sign_in(request.name, request.password, client, address_of(context))
        return session_pb2.SignInResponse(tokens=_tokens(signed_in))

    async def SignInLocally(
        self, request: session_pb2.SignInLocallyRequest, context: Context
    ) -> session_pb2.SignInLocallyResponse:
        """A token for the owner, on this machine only."""
        if not from_this_machine(context):
            raise denied("the credential file is for programs on the engine's machine", "NOT_LOCAL")
        if not request.secret:
            raise invalid("secret", "is empty")
        signed_in = await self._identity.sign_in_locally(request.secret, address_of(context))
        return session_pb2.SignInLocallyResponse(tokens=_tokens(signed_in))

    async def RefreshTokens(
        self, request: session_pb2.RefreshTokensRequest, context: Context
    ) -> session_pb2.RefreshTokensResponse:
        """The next tokens."""
        signed_in = await self._identity.refresh(request.refresh_token, address_of(context))
        return session_pb2.RefreshTokensResponse(tokens=_tokens(signed_in))

    async def SignOut(
        self, request: session_pb2.SignOutRequest, context: Context
    ) -> session_pb2.SignOutResponse:
        """End the caller's session."""
        await self._identity.sign_out(caller())
        return session_pb2.SignOutResponse()

    async def GetCaller(
        self, request: session_pb2.GetCallerRequest, context: Context
    ) -> session_pb2.GetCallerResponse:
        """Who calls."""
        return session_pb2.GetCallerResponse(caller=_caller(caller()))

    async def ListSessions(
        self, request: session_pb2.ListSessionsRequest, context: Context
    ) -> session_pb2.ListSessionsResponse:
        """Sessions, the newest first."""
        who, cut = caller(), cut_of(request.page)
        sessions = self._identity.sessions(who)
        if cut.token:
            last = _place_of(cut.token)
            sessions = [session for session in sessions if _place(session) < last]
        part = sessions[: cut.size]
        return session_pb2.ListSessionsResponse(
            sessions=[_session(session, who) for session in part],
            next_page_token=_token(part[-1]) if len(sessions) > cut.size else "",
        )

    async def RevokeSession(
        self, request: session_pb2.RevokeSessionRequest, context: Context
    ) -> session_pb2.RevokeSessionResponse:
        """End a session."""
        act = acting()
        session = await self._identity.revoke(act.caller, request.id, act.again)
        message = f"session {request.id} is ended"
        if session is not None:
            act.before = {"session": session.id, "account": session.account, "client": session.client}
            message = f"session {session.id} of {session.account} is ended"
        result = common_pb2.CommandResult(message=message, time=timestamp(self._now_ms()))
        return session_pb2.RevokeSessionResponse(result=result)


def _tokens(signed_in: SignedIn) -> session_pb2.Tokens:
    who, refresh_ms = signed_in.caller, signed_in.refresh_expires_ms
    return session_pb2.Tokens(
        access_token=signed_in.access_token,
        access_expires_at=timestamp(who.expires_ms),
        refresh_token=signed_in.refresh_token,
        refresh_expires_at=timestamp(refresh_ms) if refresh_ms else None,
        caller=_caller(who),
    )


def _caller(who: Caller) -> session_pb2.Caller:
    return session_pb2.Caller(name=who.name, role=who.role, session_id=who.session_id)


def _session(session: Session, who: Caller) -> session_pb2.Session:
    return session_pb2.Session(
        id=session.id,
        account=session.account,
        client=session.client,
        address=session.address,
        created_at=timestamp(session.created_ms),
        used_at=timestamp(session.used_ms),
        expires_at=timestamp(session.expires_ms),
        current=session.id == who.session_id,
    )


def _place(session: Session) -> tuple[int, str]:
    return session.created_ms, session.id


def _token(session: Session) -> str:
    return f"{session.created_ms}.{session.id}"


def _place_of(token: str) -> tuple[int, str]:
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        raise invalid("page.token", "is not of this list; leave it empty to begin at the newest session")
    return int(parts[1]), parts[2]
