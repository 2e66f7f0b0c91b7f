"""A screen with a table above and the chosen row in full below."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.facts import Facts
from tui.pace import Pace
from tui.screens.view import View
from tui.widgets.table import Column, PagedTable, Row

READ_SECONDS = 1.0


class Tabled(View):
    """A subclass gives `COLUMNS`, `NEWS` (the facts that make it stale), `fetch` and `detail`."""

    COLUMNS: ClassVar[Sequence[Column]] = ()
    NEWS: ClassVar[frozenset[str]] = frozenset()
    DETAIL: ClassVar[str] = "Chosen"
    EMPTY: ClassVar[str] = "nothing yet"
    AUTO_FOCUS = "PagedTable"

    def body(self) -> ComposeResult:
        yield PagedTable(self.COLUMNS)
        with VerticalScroll(id="detail", classes="panel", can_focus=False) as box:
            box.border_title = self.DETAIL
            yield Static("", id="detail-text", markup=False)

    def on_mount(self) -> None:
        """Nothing is read before the screen is shown."""
        self._pace = Pace(self, READ_SECONDS, lambda: self.read(self.fetch(), self.fill))

    @property
    def table(self) -> PagedTable:
        """The table."""
        return self.query_one(PagedTable)

    async def fetch(self) -> list[Row]:
        """Every row. Raises ClientError."""
        raise NotImplementedError

    def detail(self, row: Row) -> Content:
        """The chosen row in full."""
        raise NotImplementedError

    def show(self, facts: Facts, changed: frozenset[str]) -> None:
        """Read anew what may have changed."""
        if not facts.lost and changed & (self.NEWS | {"link"}):
            self._pace.ask()

    def fill(self, rows: Sequence[Row]) -> None:
        """Show these rows, the cursor where it was."""
        cursor = self.table.cursor_row
        self.table.show(rows)
        self.table.move_cursor(row=min(cursor, len(rows) - 1), animate=False)
        self._show_detail()

    def on_data_table_row_highlighted(self) -> None:
        """Another row was chosen."""
        self._show_detail()

    def _show_detail(self) -> None:
        row = self.table.chosen
        self.query_one("#detail-text", Static).update(self.detail(row) if row else self.EMPTY)

    async def change(self, method: Callable[[Any], Awaitable[Any]], request: Any) -> None:
        """Send a command, and read the rows anew."""
        if await self.console.commands.send(method, request) is not None:
            self._pace.ask()
