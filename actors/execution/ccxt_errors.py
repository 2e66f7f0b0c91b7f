"""What an exchange's refusal, error or silence means: surely not done, not there, or unknown (rulebook 7).

Codes and statuses decide where the exchange tells them, ccxt's classes only elsewhere: ccxt gives one
class to outcomes that differ (`DDoSProtection` also for a revoked key, `OrderNotFound` also for a cancel
that is not allowed).
"""

import json
import re
from collections.abc import Iterable

from msgspec import Struct

from actors.exchange_client import ccxt_errors

LONGEST_TEXT = 300
WAIT_AFTER_LIMIT_MS = 2_000
# Binance's codes of a request that was looked at and not carried out; -1100 to -1199 are about its form.
NOT_DONE_CODES = frozenset(
    {-1002, -1003, -1005, -1011, -1013, -1014, -1015, -1016, -1020, -1021, -1022, -1099}
    | {-2008, -2010, -2014, -2015, -2017}
)
FILTER_CODES = frozenset({"-1013", "-1111"})
CLOCK_CODE, CANCEL_REJECTED_CODE = "-1021", "-2011"
NOT_DONE_CLASSES = (
    "InsufficientFunds",
    "InvalidOrder",
    "BadRequest",
    "ArgumentsRequired",
    "AuthenticationError",
    "OperationRejected",
    "NotSupported",
    "RateLimitExceeded",
    "InvalidNonce",
)
OPEN_CLASSES = ("OrderNotFound", "OrderNotCached", "DuplicateOrderId")

_QUERY = re.compile(r"\?[^\s\"'<>]*")
_NAMED = re.compile(
    r"(?i)((?:signature|api-?_?key|secret|passphrase|password|listenkey|authorization|token|api-sign)"
    r"[\w-]*[\"']?\s*[=:]\s*)[\"']?(?:bearer\s+)?[^\s&,;\"'}]+"
)


class Reply(Struct):
    """What was heard while one request was made.

    `leave_by_ms`: after that the request must not leave any more; `requests`: how many left; `status` 0: no
    whole answer came; `accepted`: ccxt saw no error in the answer, so that what is raised afterwards only
    means that the answer cannot be read.
    """

    leave_by_ms: int | None = None
    requests: int = 0
    status: int = 0
    accepted: bool = False
    body: str = ""

    @property
    def error(self) -> tuple[str, str]:
        """The code and the text in an answer of the form {"code": ..., "msg": ...}, else empty."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return "", ""
        if not isinstance(told, dict) or "code" not in told:
            return "", ""
        return str(told["code"]), str(told.get("msg", ""))


class Trouble(Struct, frozen=True):
    """A request without an answer to rely on.

    `not_done`: the exchange surely did not do it. `absent`: it said that there is no such order. `wait_ms`:
    how long to wait before the next request. `code`: the exchange's own, or empty.
    """

    why: str
    not_done: bool = False
    absent: bool = False
    wait_ms: int = 0
    code: str = ""


def clean(text: object, secrets: Iterable[str] = ()) -> str:
    """A text from outside on one line, without query strings, signatures, keys and these secrets."""
    told = str(text)
    for secret in secrets:
        told = told.replace(secret, "***") if secret else told
    told = _NAMED.sub(r"\1***", _QUERY.sub("?***", told))
    told = "".join(each if each.isprintable() else " " for each in told)
    return told if len(told) <= LONGEST_TEXT else f"{told[:LONGEST_TEXT]}..."


def judge(error: Exception, reply: Reply, secrets: Iterable[str] = ()) -> Trouble:
    """What is certain after a request that ended in this error."""
    code, message = reply.error
    limited = reply.status in (418, 429) or _is(error, ("RateLimitExceeded",))
    return Trouble(
        clean(_why(error, reply, code, message), secrets),
        not_done=_not_done(error, reply, code, message),
        absent=_absent(error, reply, code, message),
        wait_ms=WAIT_AFTER_LIMIT_MS if limited else 0,
        code=code,
    )


def _not_done(error: Exception, reply: Reply, code: str, message: str) -> bool:
    if not reply.requests:
        return True
    if reply.accepted or reply.requests > 1 or not 0 < reply.status < 500:
        return False
    if reply.status in (418, 429):
        return True
    if re.fullmatch(r"-\d+", code):
        known = int(code) in NOT_DONE_CODES or -1200 < int(code) <= -1100
        return known and "duplicate" not in message.lower()
    return _is(error, NOT_DONE_CLASSES) and not _is(error, OPEN_CLASSES)


def _absent(error: Exception, reply: Reply, code: str, message: str) -> bool:
    if not 0 < reply.status < 500 or not _is(error, ("OrderNotFound",)):
        return False
    return code != CANCEL_REJECTED_CODE or "unknown order" in message.lower()


def _why(error: Exception, reply: Reply, code: str, message: str) -> str:
    if code:
        return f"{message or 'refused'} ({code})"
    if not reply.requests:
        return str(error) or type(error).__name__
    if reply.status:
        return f"{type(error).__name__} after HTTP status {reply.status}"
    return f"no answer ({type(error).__name__})"


def _is(error: Exception, names: Iterable[str]) -> bool:
    classes = ccxt_errors()
    return isinstance(error, tuple(getattr(classes, name) for name in names))
