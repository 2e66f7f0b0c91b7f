"""Access tokens: who was signed in, in which session, until when; signed with Ed25519 (JWT, RFC 7519)."""

import re

import jwt
import msgspec
from jwt.types import Options
from msgspec import Struct

from control.auth.keys import Keys
from control.faults import Fault, unauthenticated

ISSUER = "autotrader"
TYPE = "at+jwt"
ALGORITHM = "EdDSA"
LEEWAY_SECONDS = 5
ACCESS_LIFE_MS = 15 * 60_000
MOST_CHARACTERS = 4096
# One way to write each token: the last character of 64 bytes in base64 holds two bits, so four allow others.
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")
# Times are compared with our own clock, below.
_OPTIONS: Options = {
    "require": ["iss", "aud", "sub", "sid", "role", "iat", "nbf", "exp", "jti"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class Claims(Struct, frozen=True):
    """What a token says: the account, its session, the role it had then, times in seconds, and its own id."""

    sub: str
    sid: str
    role: str
    iat: int
    nbf: int
    exp: int
    jti: str


class AccessTokens:
    """Makes and verifies the tokens of one engine; those of another one are not valid here."""

    def __init__(self, keys: Keys, engine_id: str) -> None:
        self._keys = keys
        self._audience = f"autotrader-control/{engine_id}"

    def issue(self, claims: Claims) -> str:
        """A signed token of these claims."""
        payload = {"iss": ISSUER, "aud": self._audience, **msgspec.structs.asdict(claims)}
        headers = {"kid": self._keys.key_id, "typ": TYPE}
        return jwt.encode(payload, self._keys.private, algorithm=ALGORITHM, headers=headers)

    def verify(self, token: str, now_ms: int) -> Claims:
        """What a token says. Raises Fault UNAUTHENTICATED: TOKEN_INVALID for one that is not ours or not due
        yet, TOKEN_EXPIRED."""
        if len(token) > MOST_CHARACTERS or not _SHAPE.fullmatch(token):
            raise _not_valid()
        try:
            claims = self._verified(token, now_ms)
        # Deeply nested JSON in a header, which is read before the signature, ends in a RecursionError.
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError):
            raise _not_valid() from None
        check_times(claims, now_ms)
        return claims

    def _verified(self, token: str, now_ms: int) -> Claims:
        header = jwt.get_unverified_header(token)
        key_id = header.get("kid")
        key = self._keys.public(key_id, now_ms) if isinstance(key_id, str) else None
        if key is None or header.get("typ") != TYPE:
            raise jwt.InvalidTokenError
        payload = jwt.decode(
            token, key, algorithms=[ALGORITHM], audience=self._audience, issuer=ISSUER, options=_OPTIONS
        )
        return msgspec.convert(payload, Claims)


def check_times(claims: Claims, now_ms: int) -> None:
    """Raise Fault UNAUTHENTICATED for a token that has ended, or that is of a time more than 5 seconds ahead:
    a clock that was set back so far is forgiven, an end is not put off."""
    if 1000 * claims.exp <= now_ms:
        raise unauthenticated("TOKEN_EXPIRED", "the access token has ended; get a new one")
    if 1000 * (max(claims.nbf, claims.iat) - LEEWAY_SECONDS) > now_ms:
        raise _not_valid()


def _not_valid() -> Fault:
    return unauthenticated("TOKEN_INVALID", "the access token is not valid here; sign in")
