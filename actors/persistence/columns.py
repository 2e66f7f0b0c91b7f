"""Column types that hold the same value in SQLite and in PostgreSQL: exact decimals and UTC times."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import DateTime, Dialect, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal kept to its last digit: NUMERIC in PostgreSQL, plain decimal text in SQLite."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return format(value, "f") if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return Decimal(value) if isinstance(value, str) else value


class UtcTime(TypeDecorator[int]):
    """A time, in Python milliseconds since 1970 UTC.

    In PostgreSQL it is a `timestamptz`, in SQLite a text such as `2020-03-12T10:00:00.000Z`: a
    person can read both, and both sort by time.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return _text_of(value) if dialect.name == "sqlite" else moment_of(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return (moment - EPOCH) // _MILLISECOND


def moment_of(time_ms: int) -> datetime:
    """Milliseconds since 1970 as a datetime in UTC."""
    return EPOCH + timedelta(milliseconds=time_ms)


@lru_cache(maxsize=1024)
def _text_of(time_ms: int) -> str:
    return moment_of(time_ms).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
