"""The schema's versions: made, checked and upgraded through Alembic, without a file on disk."""

from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, inspect

from actors.persistence.engine_url import NoDatabaseYet, operation_errors, use_wal
from actors.persistence.tables import metadata
from trading.errors import StorageError

MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(engine: Engine, migrations: Path = MIGRATIONS) -> None:
    """Give an empty database its tables; raise StorageError for any other schema than the code's."""
    with operation_errors(), engine.begin() as connection:
        if inspect(connection).get_table_names():
            require_current(connection, migrations)
        else:
            command.upgrade(_config(migrations, connection), "head")
    use_wal(engine)


def upgrade(engine: Engine, migrations: Path = MIGRATIONS) -> tuple[str | None, str]:
    """Bring the schema to the code's version; returns the version before and the one after.

    Raises StorageError when the schema is newer than the code. The caller holds the writer's lock.
    """
    with operation_errors(), engine.begin() as connection:
        before = _version(connection)
        if before is None and inspect(connection).get_table_names():
            raise StorageError(_foreign())
        if before is not None and not _known(before, migrations):
            raise StorageError(_newer(before, migrations))
        command.upgrade(_config(migrations, connection), "head")
        return before, head(migrations)


def require_current(connection: Connection, migrations: Path = MIGRATIONS) -> None:
    """Raise StorageError, with what to run, unless the schema is the one that this code wants.

    An empty database raises NoDatabaseYet.
    """
    version = _version(connection)
    if version == head(migrations):
        return
    if version is None and not inspect(connection).get_table_names():
        raise NoDatabaseYet("database.url: the database is empty: `autotrader run` makes its tables")
    if version is None:
        raise StorageError(_foreign())
    if not _known(version, migrations):
        raise StorageError(_newer(version, migrations))
    raise StorageError(
        f"database.url: the schema ({version}) is older than this autotrader wants"
        f" ({head(migrations)}): run `autotrader db upgrade`"
    )


def problems(connection: Connection) -> list[str]:
    """What is wrong with the schema, in words; empty when the tables are what the code expects."""
    try:
        require_current(connection)
    except StorageError as error:
        return [str(error)]
    context = MigrationContext.configure(connection)
    return [f"schema: {difference}" for difference in compare_metadata(context, metadata)]


def head(migrations: Path = MIGRATIONS) -> str:
    """The version that this code wants."""
    return str(ScriptDirectory.from_config(_config(migrations)).get_current_head())


def _config(migrations: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known(version: str, migrations: Path) -> bool:
    with suppress(CommandError):
        return ScriptDirectory.from_config(_config(migrations)).get_revision(version) is not None
    return False


def _newer(version: str, migrations: Path) -> str:
    return (
        f"database.url: the schema ({version}) is newer than this autotrader knows"
        f" ({head(migrations)}): install a newer autotrader"
    )


def _foreign() -> str:
    return "database.url: the database holds tables of something else; name one that is empty"
