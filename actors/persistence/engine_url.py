"""From a database URL to an open SQLAlchemy engine, with every failure told in one sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError

from trading.errors import AutotraderError, OperationError, StorageError

ALLOWED = "allowed: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
CONNECT_SECONDS = 5
BUSY_MS = 5_000


class NoDatabaseYet(StorageError):
    """The file does not exist or the database has no tables: nothing was ever stored there."""


def parse_url(url: str) -> URL:
    """A database URL. Raises StorageError when it is not one of SQLite or PostgreSQL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StorageError(f"database.url: it is not a database URL; {ALLOWED}") from None
    if parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise StorageError(f"database.url: {parsed.drivername!r} is not supported; {ALLOWED}")
    if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise StorageError(f"database.url: it names no file, and memory survives no restart; {ALLOWED}")
    return parsed


def is_sqlite(url: URL) -> bool:
    """Whether this URL names a SQLite file."""
    return url.drivername == "sqlite"


def sqlite_file(url: URL) -> Path:
    """The file of a SQLite URL, links followed, so that two names of one file are equal."""
    return Path(url.database or "").expanduser().resolve()


def shown(url: URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def open_engine(url: str, read_only: bool = False) -> Engine:
    """An engine that has connected once.

    Raises StorageError for a URL, folder or file that cannot hold the database, OperationError for
    a server that does not answer. With `read_only`, nothing is created and nothing can be written.
    """
    parsed = parse_url(url)
    engine = _sqlite(parsed, read_only) if is_sqlite(parsed) else _postgresql(parsed, read_only)
    try:
        engine.connect().close()
    except DBAPIError as error:
        engine.dispose()
        raise _connect_error(parsed, error) from None
    return engine


def _sqlite(url: URL, read_only: bool) -> Engine:
    file = sqlite_file(url)
    if not file.parent.is_dir():
        raise StorageError(f"database.url: the folder {file.parent} does not exist")
    if read_only and not file.exists():
        raise NoDatabaseYet(f"database.url: there is no database {file} yet")
    if not read_only and not os.access(file if file.exists() else file.parent, os.W_OK):
        raise StorageError(f"database.url: {file} cannot be opened for writing: permission denied")
    engine = create_engine(url.set(database=str(file)))
    event.listen(engine, "connect", _prepare_reader if read_only else _prepare_writer)
    event.listen(engine, "begin", _begin_reading if read_only else _begin_writing)
    return engine


def _prepare_reader(connection: Any, _record: Any) -> None:
    """Let SQLAlchemy, not sqlite3, begin transactions: only so is DDL part of one."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("SELECT count(*) FROM sqlite_master")  # fails here when it is no database


def _prepare_writer(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("SELECT count(*) FROM sqlite_master")


def use_wal(engine: Engine) -> None:
    """Let readers of a SQLite file go on while it is written; the file keeps this mode for good."""
    if is_sqlite(engine.url):
        connection = engine.raw_connection()
        connection.cursor().execute("PRAGMA journal_mode = WAL")
        connection.close()


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgresql(url: URL, read_only: bool) -> Engine:
    options = "-c timezone=UTC" + (" -c default_transaction_read_only=on" if read_only else "")
    wanted = url.query.get("options")
    given = wanted if isinstance(wanted, str) else " ".join(wanted or ())
    return create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        connect_args={
            "connect_timeout": int(str(url.query.get("connect_timeout", CONNECT_SECONDS))),
            "options": f"{given} {options}".strip(),
        },
    )


def _connect_error(url: URL, error: DBAPIError) -> AutotraderError:
    if not is_sqlite(url):
        return OperationError(f"the database {shown(url)} does not answer: {_reason(error, url)}")
    file = sqlite_file(url)
    if isinstance(error, DatabaseError) and "not a database" in str(error.orig):
        return StorageError(f"database.url: {file} is not a SQLite database")
    return StorageError(f"database.url: {file} cannot be opened for writing: {_reason(error, url)}")


def _reason(error: DBAPIError, url: URL | None = None) -> str:
    """The driver's own words on one line, without the password."""
    text = " ".join(str(error.orig).split())
    if url is not None and url.password:
        text = text.replace(url.password, "***")
    return text


@contextmanager
def operation_errors() -> Iterator[None]:
    """Turn a failing disk, server or network into an OperationError; a wrong statement stays a bug."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise OperationError(f"the database failed: {_reason(error)}") from error
