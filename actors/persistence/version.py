"""Which schema a database has, told without loading Alembic: the usual case must be quick."""

from sqlalchemy import ColumnClause, Connection, column, inspect, select, table

HEAD = "0001"


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one that this code wants; `schema` says what is wrong otherwise."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    version: ColumnClause[str] = column("version_num")
    return list(connection.scalars(select(version).select_from(table("alembic_version", version)))) == [HEAD]
