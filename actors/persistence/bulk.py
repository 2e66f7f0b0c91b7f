"""Many rows at once, by each database's fastest road: a prepared insert, or COPY."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import Column, Connection, Table

from trading.errors import OperationError

Processor = Callable[[Any], Any]


def insert_rows(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows that all have the same keys, within the connection's transaction."""
    if not rows:
        return
    columns = [table.c[name] for name in rows[0]]
    names = ", ".join(connection.dialect.identifier_preparer.format_column(each) for each in columns)
    bound = _bound(rows, columns, connection)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
        connection.exec_driver_sql(statement, list(bound))
    else:
        _copy(connection, f"COPY {table.name} ({names}) FROM STDIN", bound)


def _bound(
    rows: list[dict[str, Any]], columns: list[Column[Any]], connection: Connection
) -> Iterator[tuple[Any, ...]]:
    """The rows as the driver takes them: each value through its column's type."""
    dialect = connection.dialect
    processors = [
        column.type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is for column in columns
    ]
    roads = [(column.name, process) for column, process in zip(columns, processors, strict=True)]
    for row in rows:
        yield tuple([process(row[name]) for name, process in roads])


def _as_it_is(value: Any) -> Any:
    return value


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.OperationalError as error:
        connection.invalidate(error)
        raise OperationError(f"the database failed: {' '.join(str(error).split())}") from error
