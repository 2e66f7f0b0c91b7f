"""A change of who may sign in and who is signed in, with what the audit trail and the log say of it."""

from msgspec import Struct
from sqlalchemy import Connection

from actors.persistence import log
from actors.persistence.accounts import Account, all_accounts, put_account, remove_account
from actors.persistence.audit_trail import AuditRow, append
from actors.persistence.sessions import Session, end_sessions, forget_sessions, live_sessions, put_session


class IdentityChange(Struct, frozen=True):
    """Accounts and sessions as they are now, the names of removed accounts, the ids of ended sessions, an
    entry for the audit trail, and a warning for the system log ("": none)."""

    accounts: tuple[Account, ...] = ()
    removed: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()
    ended: tuple[str, ...] = ()
    entry: AuditRow | None = None
    warning: str = ""


def open_identities(
    connection: Connection, now_ms: int, forget_before_ms: int
) -> tuple[list[Account], list[Session]]:
    """Every account and every live session; sessions that ended before `forget_before_ms` are removed."""
    forget_sessions(connection, forget_before_ms)
    return all_accounts(connection), live_sessions(connection, now_ms)


def store_change(connection: Connection, change: IdentityChange, now_ms: int) -> None:
    """Store a change; the same one twice leaves accounts and sessions as once."""
    for account in change.accounts:
        put_account(connection, account)
    for name in change.removed:
        remove_account(connection, name)
    for session in change.sessions:
        put_session(connection, session)
    if change.ended:
        end_sessions(connection, change.ended, now_ms)
    if change.entry is not None:
        append(connection, change.entry)
    if change.warning:
        log.write_line(connection, None, now_ms, "warning", "control", "session_ended", change.warning)
