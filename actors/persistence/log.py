"""The system log: what an operator should know, from the engine and from everything around it."""

from typing import Any

from sqlalchemy import Connection, insert, select

from actors.persistence import tables
from trading.decisions import Noticed
from trading.events import CandlesClosed, RunStarted, SignalsCollected
from trading.journal import Entry


def write_line(
    connection: Connection,
    run_id: int | None,
    time_ms: int,
    level: str,
    source: str,
    code: str,
    text: str,
) -> None:
    """Add a line that comes from outside the engine; a rebuild leaves it alone."""
    line = {"run_id": run_id, "time": time_ms, "level": level, "source": source}
    connection.execute(insert(tables.system_log), [{**line, "code": code, "text": text}])


def newest_lines(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The newest lines of the log, the newest first."""
    log = tables.system_log
    rows = connection.execute(select(log).order_by(log.c.id.desc()).limit(limit)).mappings()
    return [dict(row) for row in rows]


def lines_after(connection: Connection, line_id: int, limit: int = 200) -> list[dict[str, Any]]:
    """The next lines of the log, the oldest first."""
    log = tables.system_log
    query = select(log).where(log.c.id > line_id).order_by(log.c.id).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def notice_row(noticed: Noticed, entry: Entry, timeframe_ms: int) -> dict[str, Any]:
    """An engine's notice as a row of `system_log`, at the time of the event that caused it."""
    return {
        "sequence": entry.sequence,
        "time": event_time_ms(entry, timeframe_ms),
        "level": noticed.level.value,
        "source": "engine",
        "code": noticed.code,
        "text": noticed.text,
    }


def event_time_ms(entry: Entry, timeframe_ms: int) -> int:
    """When an entry's event happened; candles at their close, signals too where no later time is known."""
    event = entry.event
    if isinstance(event, RunStarted):
        return event.first_open_ms
    if isinstance(event, CandlesClosed):
        return event.open_time_ms + timeframe_ms
    if isinstance(event, SignalsCollected):
        return event.taken_ms or event.open_time_ms + timeframe_ms
    return int(getattr(event, "time_ms", 0))
