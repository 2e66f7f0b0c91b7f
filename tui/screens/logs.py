"""The system log, the newest line first."""

from typing import ClassVar

from textual.content import Content

from autotrader.v1 import common_pb2, log_pb2
from tui import text
from tui.dialogs.detail import Detail
from tui.paint import paint, pieces
from tui.rows import LOGS, log_row
from tui.screens.listing import Searching
from tui.widgets.table import PagedTable, Row
from tui.words import LOG_LEVELS, UNKNOWN


class LogsScreen(Searching):
    """Filtered by level and by text; Enter shows a line in full."""

    MODE = "logs"
    COLUMNS = LOGS
    SYMBOLS = False
    NEWS: ClassVar[frozenset[str]] = frozenset({"log_entry"})
    FILTERS = (
        (log_pb2.LOG_LEVEL_UNSPECIFIED, "every line"),
        (log_pb2.LOG_LEVEL_WARNING, "warnings and alarms"),
        (log_pb2.LOG_LEVEL_ALARM, "alarms"),
    )

    async def fetch(self, page: common_pb2.Page) -> tuple[list[Row], str]:
        """One page of lines. Raises ClientError."""
        request = log_pb2.ListLogEntriesRequest(page=page, contains=self.sought)
        request.least_level = self.FILTERS[self.choice][0]
        answer = await self.console.client.logs.ListLogEntries(request)
        return [log_row(entry) for entry in answer.entries], answer.next_page_token

    def on_data_table_row_selected(self, event: PagedTable.RowSelected) -> None:
        """Show the line in full."""
        row = self.table.chosen
        if row and isinstance(row.source, log_pb2.LogEntry):
            entry = row.source
            level = LOG_LEVELS.get(entry.level, UNKNOWN)
            head = pieces((f"{level}  ", level.tone), (f"{entry.source}  {entry.code}", "dim"))
            self.app.push_screen(
                Detail(f"{text.second(entry.time)} UTC", head + Content("\n\n") + paint(entry.text))
            )


SCREEN = LogsScreen
