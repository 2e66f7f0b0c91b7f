"""Every way in which a database cannot be opened: one sentence, no password, nothing written."""

import os
from pathlib import Path

import pytest

from actors.persistence.engine_url import NoDatabaseYet, open_engine
from actors.persistence.reader import Reader
from actors.persistence.store import Store
from tests.actors.persistence.conftest import NOW_MS
from trading.errors import OperationError, StorageError

BAD_URLS = [
    ("", "it is not a database URL; allowed: sqlite:///FILE or postgresql://"),
    ("autotrader.db", "it is not a database URL"),
    ("postgresql://trader:hunter2@host:port/db", "it is not a database URL"),
    ("mysql://trader:hunter2@host/db", "'mysql' is not supported; allowed: sqlite:///FILE"),
    ("postgres://trader:hunter2@host/db", "'postgres' is not supported; allowed: .* postgresql://"),
    ("sqlite+aiosqlite:///a.db", r"'sqlite\+aiosqlite' is not supported"),
    ("sqlite://", "it names no file"),
    ("sqlite:///:memory:", "it names no file"),
    ("sqlite:////nowhere/at/all/a.db", "the folder /nowhere/at/all does not exist"),
    ("sqlite:////proc/autotrader.db", "/proc/autotrader.db cannot be opened for writing"),
]


@pytest.mark.parametrize(("url", "sentence"), BAD_URLS)
def test_bad_url_is_bad_input_told_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StorageError, match=f"^database.url: .*{sentence}") as told:
        Store.open(url, lambda: NOW_MS)
    assert "hunter2" not in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be one" * 40, b"\x00\x01junk" * 999]
)
def test_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"notes\.txt is not a SQLite database$"):
        Store.open(f"sqlite:///{file}", lambda: NOW_MS)
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened for writing: unable to open"):
        Store.open(f"sqlite:///{tmp_path}", lambda: NOW_MS)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://trader:hunter2@127.0.0.1:1/db",
        "postgresql://trader:hunter2@/db?host=/nowhere",
        "postgresql://trader:hunter2@no-such-host.invalid/db",
    ],
)
def test_server_that_does_not_answer_is_an_operation_error(url: str) -> None:
    with pytest.raises(
        OperationError, match=r"^the database postgresql://trader:\*\*\*@.* does not answer: "
    ) as told:
        Store.open(url, lambda: NOW_MS)
    assert "hunter2" not in str(told.value)
    assert "\n" not in str(told.value)


def test_database_that_does_not_exist_on_the_server_is_named(postgresql_url: str) -> None:
    with pytest.raises(OperationError, match='database "nothing_here" does not exist'):
        Store.open(missing(postgresql_url), lambda: NOW_MS)


def missing(url: str) -> str:
    """The URL of a database that is not on the server."""
    start, _, query = url.partition("?")
    return f"{start.rpartition('/')[0]}/nothing_here?{query}"


def test_reader_of_a_missing_file_makes_none(tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseYet, match=r"there is no database .*autotrader\.db yet"):
        Reader.open(f"sqlite:///{tmp_path / 'autotrader.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("exists", [True, False])
def test_file_or_folder_that_may_not_be_written_is_named(tmp_path: Path, exists: bool) -> None:
    file = tmp_path / "autotrader.db"
    if exists:
        file.touch(mode=0o444)
    tmp_path.chmod(0o555)
    with pytest.raises(
        StorageError, match=r"autotrader\.db cannot be opened for writing: permission denied$"
    ):
        Store.open(f"sqlite:///{file}", lambda: NOW_MS)
    tmp_path.chmod(0o755)


def test_sqlite_writer_is_durable_and_keeps_foreign_keys(sqlite_url: str) -> None:
    Store.open(sqlite_url, lambda: NOW_MS).close()
    engine = open_engine(sqlite_url)
    wanted = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}
    with engine.connect() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
    assert found == wanted
    engine.dispose()
