"""One writer a database: a lock that its holder's death frees.

SQLite: `flock` on FILE.lock. PostgreSQL: an advisory lock on a connection of its own. Both tell
who holds it.
"""

import fcntl
import os
import socket
import time
from collections.abc import Callable
from typing import IO

from sqlalchemy import Connection, Engine, text

from actors.persistence.engine_url import is_sqlite, operation_errors, sqlite_file
from trading.errors import OperationError, StorageError
from trading.timeframe import iso

# Any number will do, as long as every version of autotrader takes the same.
ADVISORY_KEY = 0x6175746F74726164
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.1
# PostgreSQL keeps 63 bytes of a connection's name; 46 of them are not the host.
HOST_CHARACTERS = 17


class WriterLock:
    """The held lock; `release` frees it, and so does the end of the process."""

    def __init__(self, release: Callable[[], None]) -> None:
        self.release = release


def acquire(engine: Engine, now_ms: int, wait_seconds: float = WAIT_SECONDS) -> WriterLock:
    """The lock of this engine's database.

    Raises OperationError, naming the holder, when another process keeps it for `wait_seconds`.
    """
    host = socket.gethostname().encode("ascii", "replace").decode()[:HOST_CHARACTERS]
    me = f"pid {os.getpid()}, host {host}, since {iso(now_ms // 1000 * 1000)}"
    if is_sqlite(engine.url):
        return _lock_file(f"{sqlite_file(engine.url)}.lock", me, wait_seconds)
    with operation_errors():
        return _lock_server(engine, me, wait_seconds)


def _wait_for(try_lock: Callable[[], bool], holder: Callable[[], str], wait_seconds: float) -> None:
    end = time.monotonic() + wait_seconds
    while not try_lock():
        if time.monotonic() >= end:
            raise OperationError(f"another engine ({holder() or 'unknown'}) is running on this database")
        time.sleep(POLL_SECONDS)


def _lock_file(path: str, me: str, wait_seconds: float) -> WriterLock:
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise StorageError(f"database.url: {path} cannot be written: {error.strerror}") from None
    try:
        _wait_for(lambda: _try_flock(file), lambda: _written(file), wait_seconds)
    except BaseException:
        file.close()
        raise
    file.truncate(0)
    file.write(me)
    file.flush()
    return WriterLock(file.close)


def _try_flock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip()


def _lock_server(engine: Engine, me: str, wait_seconds: float) -> WriterLock:
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()
    try:
        _wait_for(lambda: _try_advisory(connection), lambda: _named(connection), wait_seconds)
        connection.execute(text("SELECT set_config('application_name', :me, false)"), {"me": me})
        # A holder whose machine went away is noticed within 15 s, not two hours.
        for name, value in (("idle", 5), ("interval", 2), ("count", 5)):
            connection.exec_driver_sql(f"SET tcp_keepalives_{name} = {value}")
    except BaseException:
        connection.close()
        raise
    return WriterLock(connection.close)


def _try_advisory(connection: Connection) -> bool:
    locked = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_KEY})
    return bool(locked)


def _named(connection: Connection) -> str:
    """The holder's name, which it gave to its connection."""
    name = connection.scalar(
        text(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
        ),
        {"key": ADVISORY_KEY},
    )
    return str(name or "")
