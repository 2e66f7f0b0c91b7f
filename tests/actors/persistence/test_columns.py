"""Decimals and times come back as they were given, from both databases."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, delete, insert, select

from actors.persistence.bulk import insert_rows
from actors.persistence.columns import ExactDecimal, UtcTime
from actors.persistence.engine_url import open_engine

TABLE = Table(
    "facts",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("money", ExactDecimal),
    Column("time", UtcTime),
)
DECIMALS = st.one_of(
    st.integers(-(10**40), 10**40).map(lambda units: Decimal(f"{units}E-16")),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30),
    st.sampled_from([Decimal("1E-16"), Decimal("0E-8"), Decimal("1E+21"), Decimal("-0.0000000000000001")]),
)
YEAR_9999_MS = 253_402_300_799_999
TIMES = st.integers(-YEAR_9999_MS // 5, YEAR_9999_MS)
ROWS = st.lists(st.tuples(st.none() | DECIMALS, st.none() | TIMES), max_size=20)


def read_back(connection: Connection, rows: list[tuple[Decimal | None, int | None]]) -> None:
    """Store the rows by both roads and compare."""
    first = [{"id": i, "money": money, "time": time} for i, (money, time) in enumerate(rows)]
    second = [{**row, "id": 1000 + i} for i, row in enumerate(first)]
    insert_rows(connection, TABLE, first)
    if second:
        connection.execute(insert(TABLE), second)
    found = connection.execute(select(TABLE.c.money, TABLE.c.time).order_by(TABLE.c.id)).all()
    assert [tuple(row) for row in found] == rows * 2
    times = [time for _, time in rows if time is not None]
    by_time = select(TABLE.c.time).where(TABLE.c.time.is_not(None), TABLE.c.id < 1000).order_by(TABLE.c.time)
    assert list(connection.scalars(by_time)) == sorted(times)
    connection.execute(delete(TABLE))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_decimals_and_times_come_back_exactly_and_sort(
    database_url: str, rows: list[tuple[Decimal | None, int | None]]
) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        TABLE.create(connection, checkfirst=True)
        read_back(connection, rows)
    engine.dispose()


def test_time_is_readable_in_the_database(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        TABLE.create(connection)
        insert_rows(connection, TABLE, [{"id": 1, "money": Decimal("1E-16"), "time": 1_584_007_200_123}])
        money, time = connection.exec_driver_sql("SELECT money, time FROM facts").one()
    engine.dispose()
    if "sqlite" in database_url:
        assert (money, time) == ("0.0000000000000001", "2020-03-12T10:00:00.123Z")
    else:
        assert (money, time) == (Decimal("1E-16"), datetime(2020, 3, 12, 10, 0, 0, 123_000, UTC))
