"""Who calls, and what the call at hand does: known to every service, passed to none."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from autotrader.v1 import access_pb2

LOCAL = "local"


@dataclass(frozen=True)
class Caller:
    """Who calls: the account's name (`local` for the owner on this machine, which no account can have), the
    role it has now, its session, from where, and when its token ends (UTC, ms)."""

    name: str
    role: "access_pb2.Role.ValueType"
    session_id: str
    address: str
    expires_ms: int

    @property
    def local(self) -> bool:
        """Whether this is the owner, signed in with the credential file."""
        return self.name == LOCAL


@dataclass
class Act:
    """One command: who gives it, its id, and what it changes, before and after, for the audit trail.

    `again`: it was tried before, and broke off when it may have been done. `before` and `after` are facts
    that JSON can hold, without secrets.
    """

    caller: Caller
    request_id: str
    again: bool = False
    before: Any = None
    after: Any = None


_caller: ContextVar[Caller] = ContextVar("caller")
_act: ContextVar[Act] = ContextVar("act")


def caller() -> Caller:
    """Who makes the call at hand. Raises LookupError in a public method."""
    return _caller.get()


def acting() -> Act:
    """The command at hand. Raises LookupError in a method that is none."""
    return _act.get()


def called_by(who: Caller) -> None:
    """Remember who makes the call at hand, in its own context."""
    _caller.set(who)


def begin_act(act: Act) -> None:
    """Remember the command at hand, in its own context."""
    _act.set(act)
