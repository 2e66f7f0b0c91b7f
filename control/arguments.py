"""Arguments that several lists share: pages, spans of time, symbols, counts, texts."""

from collections.abc import Collection, Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from actors.persistence.pages import LAST_MS, Cut, Span
from autotrader.v1 import common_pb2
from control.faults import invalid, not_found
from control.rows import milliseconds
from trading.errors import suggestion

MOST_ROWS = 1000
USUAL_ROWS = 50


def cut_of(page: common_pb2.Page) -> Cut:
    """Which part of a list: 1 to 1000 rows, 50 when nothing is said."""
    return Cut(count_of("page.size", page.size, 1, MOST_ROWS, USUAL_ROWS), page.token)


def count_of(field: str, value: int, least: int, most: int, usual: int) -> int:
    """A count within its bounds; 0 is the usual one."""
    if value and not least <= value <= most:
        raise invalid(field, f"{value} is not within {least} to {most} (0 is {usual})")
    return value or usual


def span_of(range_: common_pb2.TimeRange) -> Span:
    """A half-open span of time; a bound that is not set is open."""
    start_ms = time_of("range.start", range_.start) if range_.HasField("start") else None
    end_ms = time_of("range.end", range_.end) if range_.HasField("end") else None
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise invalid("range.end", "is not after range.start")
    return Span(start_ms, end_ms)


def time_of(field: str, moment: Timestamp) -> int:
    """A time of the years 1970 to 9999, in ms."""
    if not (0 <= moment.seconds <= LAST_MS // 1000 and 0 <= moment.nanos < 1_000_000_000):
        raise invalid(field, "is not a time of the years 1970 to 9999")
    return min(milliseconds(moment), LAST_MS)


def symbols_of(symbols: Iterable[str], traded: Collection[str]) -> tuple[str, ...]:
    """The symbols of a filter, each once; all must be traded."""
    return tuple(sorted({symbol_of("symbols", symbol, traded) for symbol in symbols}))


def symbol_of(field: str, symbol: str, traded: Collection[str]) -> str:
    """A symbol that is traded."""
    if symbol not in traded:
        raise not_found(field, f"{symbol!r} is not traded; {suggestion(symbol, traded)}")
    return symbol


def text_of(field: str, text: str, most: int) -> str:
    """A text of printable characters that is not too long."""
    if len(text) > most:
        raise invalid(field, f"has {len(text)} characters; at most {most} are allowed")
    if not text.isprintable():
        raise invalid(field, "holds characters that cannot be printed")
    return text
