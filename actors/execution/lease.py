"""Who may send orders: each process that executes takes the next epoch, and the one before sends no more."""

from sqlalchemy import Connection, insert, select, update

from actors.persistence.tables import executor

_ID = 1


def take_lease(connection: Connection, holder: str, now_ms: int) -> int:
    """Become the one that sends; returns the epoch, which no other process ever has."""
    taken = {"epoch": executor.c.epoch + 1, "holder": holder, "taken_at": now_ms}
    if connection.execute(update(executor).values(taken)).rowcount == 0:
        connection.execute(insert(executor).values(id=_ID, epoch=1, holder=holder, taken_at=now_ms))
    return lease(connection)[0]


def lease(connection: Connection) -> tuple[int, str]:
    """The epoch in force and who holds it; (0, "") when nobody ever did."""
    row = connection.execute(select(executor.c.epoch, executor.c.holder)).first()
    return (row.epoch, row.holder) if row else (0, "")
