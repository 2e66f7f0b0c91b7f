"""What an operator should know, in words."""

from typing import Any

from sqlalchemy import Connection

from actors.persistence import pages
from actors.persistence.pages import Cut, LogFilter
from autotrader.v1 import log_pb2, log_pb2_grpc
from control import rows
from control.arguments import cut_of, span_of, text_of
from control.faults import invalid
from control.reads import Reads

MOST_CHARACTERS = 200


class LogServicer(log_pb2_grpc.LogServiceServicer):
    """The system log, of this run and of those before."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def ListLogEntries(
        self, request: log_pb2.ListLogEntriesRequest, context: Any
    ) -> log_pb2.ListLogEntriesResponse:
        """Lines of the log."""
        chosen = LogFilter(
            _levels(request.least_level),
            text_of("source", request.source, MOST_CHARACTERS),
            text_of("contains", request.contains, MOST_CHARACTERS),
            span_of(request.range),
        )
        return await self._reads.ask(_entries, chosen, cut_of(request.page))


def _entries(connection: Connection, chosen: LogFilter, cut: Cut) -> log_pb2.ListLogEntriesResponse:
    part = pages.log(connection, chosen, cut)
    return log_pb2.ListLogEntriesResponse(
        entries=map(rows.log_message, part.rows), next_page_token=part.token
    )


def _levels(least: int) -> tuple[str, ...]:
    """The levels of at least this loudness; none named is all."""
    if least == log_pb2.LOG_LEVEL_UNSPECIFIED:
        return ()
    if least not in rows.LEVELS.values():
        raise invalid("least_level", f"{least} is not known")
    return tuple(name for name, number in rows.LEVELS.items() if number >= least)
