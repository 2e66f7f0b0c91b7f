"""The schema's versions: made at once, current, older, newer, or of something else."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, insert, inspect, select, text

from actors.persistence import schema, version
from actors.persistence.engine_url import NoDatabaseYet, open_engine
from actors.persistence.reader import Reader
from actors.persistence.store import Store, upgrade_database
from actors.persistence.tables import metadata
from tests.actors.persistence.conftest import NOW_MS, stored_run
from tests.actors.persistence.test_store import driver_url
from tests.support.runs import RandomRun, rules_of
from trading.errors import StorageError

NEXT = '''"""A later version."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    """Add a column."""
    op.add_column("runs", sa.Column("colour", sa.Text))
'''


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a later version of the code."""
    folder = tmp_path / "later"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "v9999_later.py").write_text(NEXT.format(head=schema.head()))
    return folder


@pytest.fixture(params=["sqlite_url", "empty_postgresql_url"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables."""
    return str(request.getfixturevalue(request.param))


def columns(engine: Engine, table: str) -> set[str]:
    """The names of a table's columns."""
    return {column["name"] for column in inspect(engine).get_columns(table)}


def test_open_of_an_empty_database_makes_every_table_of_the_code(empty_url: str) -> None:
    Store.open(empty_url, lambda: NOW_MS).close()
    engine = open_engine(empty_url)
    assert set(inspect(engine).get_table_names()) == {*metadata.tables, "alembic_version"}
    with engine.connect() as connection:
        assert schema.problems(connection) == []
        connection.rollback()
        connection.execute(text("ALTER TABLE trades ADD COLUMN colour TEXT"))
        assert any("colour" in problem for problem in schema.problems(connection))
    engine.dispose()


def test_reader_of_an_empty_database_says_that_it_is_empty(empty_url: str) -> None:
    open_engine(empty_url).dispose()
    with pytest.raises(NoDatabaseYet, match="the database is empty: `autotrader run` makes its tables"):
        Reader.open(empty_url)


def test_open_twice_keeps_the_schema(database_url: str) -> None:
    for _ in range(2):
        Store.open(database_url, lambda: NOW_MS).close()


def test_older_schema_says_to_upgrade_and_upgrade_mends_it(database_url: str, later: Path) -> None:
    Store.open(database_url, lambda: NOW_MS).close()
    engine = open_engine(database_url)
    sentence = (
        r"the schema \(0004\) is older than this autotrader wants \(9999\): run `autotrader db upgrade`"
    )
    with pytest.raises(StorageError, match=sentence):
        schema.prepare(engine, later)
    assert schema.upgrade(engine, later) == ("0004", "9999")
    schema.prepare(engine, later)
    assert "colour" in columns(engine, "runs")
    engine.dispose()


def test_newer_schema_says_to_install_a_newer_autotrader(database_url: str, later: Path) -> None:
    Store.open(database_url, lambda: NOW_MS).close()
    engine = open_engine(database_url)
    schema.upgrade(engine, later)
    engine.dispose()
    sentence = r"the schema \(9999\) is newer than this autotrader knows \(0004\): install a newer autotrader"
    with pytest.raises(StorageError, match=sentence):
        Store.open(database_url, lambda: NOW_MS)
    with pytest.raises(StorageError, match=sentence):
        Reader.open(database_url)
    with pytest.raises(StorageError, match=sentence):
        upgrade_database(database_url, lambda: NOW_MS)


def test_upgrade_of_a_current_or_empty_database_ends_at_head(empty_url: str) -> None:
    assert upgrade_database(empty_url, lambda: NOW_MS) == (None, "0004")
    assert upgrade_database(empty_url, lambda: NOW_MS) == ("0004", "0004")


def test_upgrade_from_the_first_schema_keeps_what_is_stored(empty_url: str, tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(schema.MIGRATIONS, first, ignore=shutil.ignore_patterns("__pycache__", "v000[2-4]*"))
    engine = open_engine(empty_url)
    schema.prepare(engine, first)
    assert "accounts" not in inspect(engine).get_table_names()
    with engine.begin() as connection:
        connection.execute(
            text(
                'INSERT INTO settings_changes (id, key, value, changed_at, "by")'
                " VALUES (1, 'a.b', '3', '2024-01-01T00:00:00.000Z', 'anna')"
            )
        )
    assert upgrade_database(empty_url, lambda: NOW_MS) == ("0001", "0004")
    store = Store.open(empty_url, lambda: NOW_MS)
    assert store.settings() == {"a.b": "3"}
    store.close()
    with engine.connect() as connection:
        assert schema.problems(connection) == []
    engine.dispose()


def test_upgrade_of_a_stored_run_keeps_every_table_true_to_its_journal(
    empty_url: str, tmp_path: Path
) -> None:
    before = tmp_path / "before"
    shutil.copytree(schema.MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__", "v0004*"))
    engine, source = open_engine(empty_url), f"sqlite:///{tmp_path / 'source.db'}"
    schema.prepare(engine, before)
    store = Store.open(source, lambda: NOW_MS)
    run = stored_run(store, RandomRun(rules_of(), seed=21), 200)
    store.close()
    _copy_what_fits(open_engine(source), engine)
    assert "trigger_price" not in columns(engine, "orders")
    assert upgrade_database(empty_url, lambda: NOW_MS) == ("0003", "0004")
    store = Store.open(empty_url, lambda: NOW_MS)
    assert store.check(run.id) == []
    store.close()
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT count(*) FROM trades")).one() > 5
        key = inspect(connection).get_pk_constraint("trades")["constrained_columns"]
    assert key == ["run_id", "entry_order_id", "sequence"]
    engine.dispose()


def _copy_what_fits(source: Engine, target: Engine) -> None:
    """Every row, without the columns that the target's schema does not have."""
    with source.connect() as origin, target.begin() as connection:
        for table in metadata.sorted_tables:
            names = {column["name"] for column in inspect(connection).get_columns(table.name)}
            kept = [column for column in table.c if column.name in names]
            rows = [dict(row) for row in origin.execute(select(*kept)).mappings()]
            if rows:
                connection.execute(insert(table), rows)
    source.dispose()


def test_upgrade_that_fails_half_way_leaves_the_older_schema(database_url: str, later: Path) -> None:
    Store.open(database_url, lambda: NOW_MS).close()
    step = later / "versions" / "v9999_later.py"
    step.write_text(step.read_text() + '    raise RuntimeError("the power went")\n')
    engine = open_engine(database_url)
    with pytest.raises(RuntimeError, match="the power went"):
        schema.upgrade(engine, later)
    assert "colour" not in columns(engine, "runs")
    schema.prepare(engine)
    engine.dispose()


def test_sqlite_file_of_something_else_is_not_changed_by_a_byte(sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    other = create_engine(sqlite_url)
    with other.begin() as connection:
        connection.execute(text("CREATE TABLE recipes (name TEXT)"))
    other.dispose()
    before = file.read_bytes()
    with pytest.raises(StorageError, match="holds tables of something else"):
        Store.open(sqlite_url, lambda: NOW_MS)
    assert file.read_bytes() == before


def test_database_of_something_else_is_refused_and_left_alone(empty_url: str) -> None:
    other = create_engine(driver_url(empty_url))
    with other.begin() as connection:
        connection.execute(text("CREATE TABLE recipes (name TEXT)"))
    for start in (Store.open, upgrade_database):
        with pytest.raises(StorageError, match="holds tables of something else"):
            start(empty_url, lambda: NOW_MS)
    assert inspect(other).get_table_names() == ["recipes"]
    other.dispose()


def test_version_told_without_alembic_is_the_newest_migration() -> None:
    assert schema.head() == version.HEAD
