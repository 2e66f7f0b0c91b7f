"""Who calls: signing in and out, tokens, and proving once more who one is."""

import hashlib
import hmac
import os
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from actors.persistence.accounts import Account
from actors.persistence.audit_trail import DONE, AuditRow
from actors.persistence.identities import IdentityChange
from actors.persistence.sessions import Session
from autotrader.v1 import access_pb2, common_pb2
from control.auth.accounts import Accounts, check_name
from control.auth.directory import Directory
from control.auth.keys import Keys
from control.auth.local import new_secret
from control.auth.passwords import Passwords
from control.auth.proof import Proof
from control.auth.roles import ROLES
from control.auth.tokens import ACCESS_LIFE_MS, AccessTokens, Claims, check_times
from control.caller import LOCAL, Caller
from control.faults import Fault, denied, not_found, unauthenticated
from control.store import ControlStore

REFRESH_LIFE_MS = 30 * 86_400_000
MOST_SESSIONS = 20
MOST_VERIFIED = 10_000
_REFRESH_TOKEN = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class SignedIn:
    """Tokens of a session, and when they end (UTC, ms); the owner on this machine has no refresh token."""

    caller: Caller
    access_token: str
    refresh_token: str = ""
    refresh_expires_ms: int = 0


class Identity:
    """Knows accounts, sessions and tokens; nothing else changes them.

    A role is the one that the account has now, not the one in its token. The last admin may be removed: the
    owner of the engine's machine can always make another one.
    """

    def __init__(
        self,
        directory: Directory,
        tokens: AccessTokens,
        local_secret: str,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._directory = directory
        self._tokens = tokens
        self._local_secret = local_secret
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._passwords = Passwords()
        self._proof = Proof(directory, self._passwords, now_ms)
        self._verified: OrderedDict[str, Claims] = OrderedDict()
        # Of this start alone: the owner's tokens end with the engine that gave them.
        self._local_session = f"{LOCAL}-{random_bytes(8).hex()}"
        self.accounts = Accounts(directory, self._passwords, self._proof, now_ms)

    @classmethod
    async def open(
        cls,
        store: ControlStore,
        keys: Keys,
        engine_id: str,
        local_secret: str,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> "Identity":
        """Read accounts and sessions. `local_secret` is what the credential file holds."""
        directory = await Directory.open(store, now_ms)
        return cls(directory, AccessTokens(keys, engine_id), local_secret, now_ms, random_bytes)

    def close(self) -> None:
        """End the threads that hash passwords."""
        self._passwords.close()

    def caller_of(self, access_token: str, address: str) -> Caller:
        """Who this token is of. Raises Fault UNAUTHENTICATED: TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED or
        SESSION_ENDED."""
        if not access_token:
            raise unauthenticated("TOKEN_MISSING", "sign in first: the call has no access token")
        claims = self._claims(access_token)
        role = self._role_now(claims.sub, claims.sid)
        if role is None:
            raise _session_ended()
        return Caller(claims.sub, role, claims.sid, address, 1000 * claims.exp)

    def alive(self, caller: Caller) -> bool:
        """Whether the caller's token and session have not ended."""
        if self._now_ms() >= caller.expires_ms:
            return False
        return self._role_now(caller.name, caller.session_id) == caller.role

    async def sign_in(self, name: str, password: str, client: str, address: str) -> SignedIn:
        """Begin a session; of more than 20 of an account the one that was used longest ago ends.

        Raises Fault UNAUTHENTICATED when name and password do not fit, RESOURCE_EXHAUSTED after several
        failures.
        """
        check_name(name)
        account = await self._proof.account_of(name, password, address)
        if account is None:
            raise await self._failed(name, address, "SignIn", "the name or the password is wrong")
        session_id, secret = self._random_bytes(16).hex(), new_secret(self._random_bytes)

        def decide() -> IdentityChange:
            present = self._directory.account(name)
            if present is None or present.password_hash != account.password_hash or present.disabled:
                raise unauthenticated("SIGN_IN_FAILED", "the account was changed just now; sign in again")
            now_ms = self._now_ms()
            expires_ms = now_ms + REFRESH_LIFE_MS
            session = Session(session_id, name, _hash(secret), now_ms, now_ms, expires_ms, client, address)
            return IdentityChange(
                accounts=(replace(present, signed_in_ms=now_ms),),
                sessions=(session,),
                ended=self._surplus(name),
                entry=self._entry(present, address, "SignIn", DONE, f"session {session_id}: {client}"),
            )

        change = await self._directory.change(decide)
        return self._signed_in(change.sessions[0], secret)

    async def sign_in_locally(self, secret: str, address: str) -> SignedIn:
        """A token for the owner, who shows the secret of the credential file; whoever calls this has seen to
        it that the request comes from this machine.

        The right secret is never slowed down, so that no other user of the machine can keep its owner out.
        Raises Fault UNAUTHENTICATED.
        """
        if self._is_local_secret(secret):
            return SignedIn(*self._access(LOCAL, "admin", self._local_session, address))
        sentence = "the secret is not that of the running engine; read the credential file again"
        if self._proof.may_note(LOCAL, address):
            raise await self._failed(LOCAL, address, "SignInLocally", sentence)
        raise unauthenticated("SIGN_IN_FAILED", sentence)

    async def refresh(self, refresh_token: str, address: str) -> SignedIn:
        """The next tokens of a session. Any other token than its newest ends the session: a thief and the
        owner cannot both go on. Of two refreshes at once, one is such.

        Raises Fault UNAUTHENTICATED.
        """
        parts = _REFRESH_TOKEN.fullmatch(refresh_token)
        if parts is None:
            raise unauthenticated("TOKEN_INVALID", "the refresh token is not valid; sign in")
        session_id, given = parts.groups()
        secret = new_secret(self._random_bytes)

        def decide() -> IdentityChange:
            session = self._directory.session(session_id)
            if session is None:
                raise _session_ended()
            if not hmac.compare_digest(_hash(given), session.refresh_hash):
                return self._reuse(session, address)
            now_ms = self._now_ms()
            renewed = replace(
                session,
                refresh_hash=_hash(secret),
                used_ms=now_ms,
                expires_ms=now_ms + REFRESH_LIFE_MS,
                address=address,
            )
            return IdentityChange(sessions=(renewed,))

        change = await self._directory.change(decide)
        if change.ended:
            raise unauthenticated("SESSION_ENDED", "the refresh token was used before: the session is ended")
        return self._signed_in(change.sessions[0], secret)

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's session. The owner on this machine has none: their token ends by itself."""

        def decide() -> IdentityChange:
            session = self._directory.session(caller.session_id)
            account = self._directory.account(caller.name)
            if session is None or account is None:
                raise _session_ended()
            entry = self._entry(account, caller.address, "SignOut", DONE, f"session {session.id}")
            return IdentityChange(ended=(session.id,), entry=entry)

        if not caller.local:
            await self._directory.change(decide)

    def sessions(self, caller: Caller) -> list[Session]:
        """The live sessions that the caller may see, the newest first: their own; for an admin, all."""
        whose = "" if caller.role == access_pb2.ROLE_ADMIN else caller.name
        live = [each for each in self._directory.sessions(whose) if self._directory.session(each.id)]
        return sorted(live, key=lambda session: (session.created_ms, session.id), reverse=True)

    async def revoke(self, caller: Caller, session_id: str, again: bool = False) -> Session | None:
        """End a session that the caller may see, and return it; None when this was done before (`again`).

        Raises Fault NOT_FOUND.
        """
        if again and self._directory.session(session_id) is None:
            return None

        def decide() -> IdentityChange:
            session = self._directory.session(session_id)
            mine = session is not None and session.account == caller.name
            if session is None or not (mine or caller.role == access_pb2.ROLE_ADMIN):
                raise not_found("id", f"there is no session {session_id!r}")
            return IdentityChange(sessions=(session,), ended=(session_id,))

        return (await self._directory.change(decide)).sessions[0]

    async def reauthenticate(self, caller: Caller, given: common_pb2.Reauthentication) -> None:
        """The caller shows once more who they are: by their password, or the owner on this machine by the
        secret of the credential file.

        Raises Fault PERMISSION_DENIED: REAUTHENTICATION_REQUIRED when nothing is given,
        REAUTHENTICATION_FAILED; and RESOURCE_EXHAUSTED after several failures.
        """
        if not (given.password or given.local_secret):
            wanted = "the secret of the credential file" if caller.local else "your password"
            raise denied(f"reauthentication: this needs {wanted} again", "REAUTHENTICATION_REQUIRED")
        if caller.local:
            fits = self._is_local_secret(given.local_secret)
        else:
            proven = given.password and await self._proof.account_of(
                caller.name, given.password, caller.address
            )
            fits = bool(proven)
        if not fits:
            raise denied("reauthentication: the password or secret is wrong", "REAUTHENTICATION_FAILED")

    def _claims(self, access_token: str) -> Claims:
        claims = self._verified.get(access_token)
        if claims is not None:
            self._verified.move_to_end(access_token)
            check_times(claims, self._now_ms())
            return claims
        claims = self._verified[access_token] = self._tokens.verify(access_token, self._now_ms())
        if len(self._verified) > MOST_VERIFIED:
            self._verified.popitem(last=False)
        return claims

    def _role_now(self, name: str, session_id: str) -> "access_pb2.Role.ValueType | None":
        if session_id == self._local_session:
            return access_pb2.ROLE_ADMIN if name == LOCAL else None
        session, account = self._directory.session(session_id), self._directory.account(name)
        if session is None or account is None or session.account != name:
            return None
        return ROLES[account.role]

    def _is_local_secret(self, secret: str) -> bool:
        return hmac.compare_digest(secret.encode(), self._local_secret.encode())

    def _signed_in(self, session: Session, secret: str) -> SignedIn:
        account = self._directory.account(session.account)
        if account is None:
            raise _session_ended()
        caller, token = self._access(account.name, account.role, session.id, session.address)
        return SignedIn(caller, token, f"{session.id}.{secret}", session.expires_ms)

    def _access(self, name: str, role: str, session_id: str, address: str) -> tuple[Caller, str]:
        now = self._now_ms() // 1000
        end = now + ACCESS_LIFE_MS // 1000
        claims = Claims(name, session_id, role, now, now, end, self._random_bytes(8).hex())
        return Caller(name, ROLES[role], session_id, address, 1000 * end), self._tokens.issue(claims)

    def _surplus(self, name: str) -> tuple[str, ...]:
        """The sessions that make room for one more: those that ran out, and the longest unused ones."""
        mine = sorted(self._directory.sessions(name), key=lambda session: session.used_ms, reverse=True)
        live = [session for session in mine if self._directory.session(session.id)]
        kept = {session.id for session in live[: MOST_SESSIONS - 1]}
        return tuple(session.id for session in mine if session.id not in kept)

    def _reuse(self, session: Session, address: str) -> IdentityChange:
        account = self._directory.account(session.account)
        assert account is not None
        sentence = f"session {session.id}: a refresh token that was used before came from {address}"
        entry = self._entry(account, address, "RefreshTokens", "UNAUTHENTICATED", sentence)
        return IdentityChange(ended=(session.id,), entry=entry, warning=f"{sentence}; the session is ended")

    async def _failed(self, name: str, address: str, method: str, sentence: str) -> Fault:
        """The fault of a sign-in that failed, noted in the audit trail."""
        nobody = Account(name, "", "", False, 0)
        entry = self._entry(nobody, address, method, "UNAUTHENTICATED", sentence)
        await self._directory.change(lambda: IdentityChange(entry=entry))
        return unauthenticated("SIGN_IN_FAILED", sentence)

    def _entry(self, account: Account, address: str, method: str, result: str, detail: str) -> AuditRow:
        return AuditRow(
            time_ms=self._now_ms(),
            account=account.name,
            role=account.role,
            address=address,
            method=f"SessionService/{method}",
            request_id="",
            result=result,
            detail=detail,
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _session_ended() -> Fault:
    return unauthenticated("SESSION_ENDED", "the session has ended; sign in")
