"""What a crash leaves behind."""

from sqlalchemy import Connection, delete, func, select

from actors.persistence import tables


def forget_the_end(connection: Connection) -> None:
    """Cut off the newest entry of the audit trail: the engine was killed before it noted a command's end."""
    newest = select(func.max(tables.audit.c.id)).scalar_subquery()
    connection.execute(delete(tables.audit).where(tables.audit.c.id == newest))
