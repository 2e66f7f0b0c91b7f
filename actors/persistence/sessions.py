"""Sessions: who is signed in, from where, and the hash of what gets the next tokens."""

from collections.abc import Collection

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from actors.persistence import tables


class Session(Struct, frozen=True):
    """A session. `refresh_hash` is SHA-256, in hex, of the secret that gets the next tokens; times are UTC in
    ms, `expires_ms` when it ends unless it gets new tokens."""

    id: str
    account: str
    refresh_hash: str
    created_ms: int
    used_ms: int
    expires_ms: int
    client: str
    address: str


def live_sessions(connection: Connection, now_ms: int) -> list[Session]:
    """The sessions that have not ended, the oldest first."""
    table = tables.sessions
    columns = (
        table.c.id,
        table.c.account,
        table.c.refresh_hash,
        table.c.created_at,
        table.c.used_at,
        table.c.expires_at,
        table.c.client,
        table.c.address,
    )
    alive = (table.c.ended_at.is_(None), table.c.expires_at > now_ms)
    query = select(*columns).where(*alive).order_by(table.c.created_at, table.c.id)
    return [Session(*row) for row in connection.execute(query)]


def put_session(connection: Connection, session: Session) -> None:
    """Store a session as it is now."""
    table = tables.sessions
    values = {
        "account": session.account,
        "refresh_hash": session.refresh_hash,
        "created_at": session.created_ms,
        "used_at": session.used_ms,
        "expires_at": session.expires_ms,
        "client": session.client,
        "address": session.address,
    }
    if connection.execute(update(table).where(table.c.id == session.id).values(values)).rowcount == 0:
        connection.execute(insert(table).values(id=session.id, **values))


def end_sessions(connection: Connection, ids: Collection[str], now_ms: int) -> None:
    """End sessions; those that have ended keep their time."""
    table = tables.sessions
    mine = update(table).where(table.c.id.in_(ids), table.c.ended_at.is_(None))
    connection.execute(mine.values(ended_at=now_ms))


def forget_sessions(connection: Connection, before_ms: int) -> None:
    """Remove the sessions that ended, or ran out, before a time: the audit trail keeps who signed in."""
    table = tables.sessions
    connection.execute(delete(table).where((table.c.ended_at < before_ms) | (table.c.expires_at < before_ms)))
