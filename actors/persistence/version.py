"""The usual cases of a database's schema, without loading Alembic: it is current, or it is empty."""

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from actors.persistence.tables import metadata

HEAD = "0004"
# Alembic's own table, as it makes it.
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one that this code wants; `schema` says what is wrong otherwise."""
    if not inspect(connection).has_table(_VERSION.name):
        return False
    return list(connection.scalars(select(_VERSION.c.version_num))) == [HEAD]


def create_tables(connection: Connection) -> bool:
    """Give an empty database all tables, as the migrations would; whether it was empty."""
    if inspect(connection).get_table_names():
        return False
    metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(insert(_VERSION).values(version_num=HEAD))
    return True
