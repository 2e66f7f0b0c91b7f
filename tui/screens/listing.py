"""A screen that is one long table: pages come while one scrolls, the newest rows when something happens."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from autotrader.v1 import common_pb2
from tui import text
from tui.facts import Facts
from tui.pace import Pace
from tui.paint import pieces
from tui.screens.view import View
from tui.widgets.table import Column, PagedTable, Row

PAGE_ROWS = 100
READ_SECONDS = 0.5


class Listing(View):
    """A table with filters. A subclass gives `COLUMNS`, `NEWS` (the facts that make it stale) and `fetch`.

    `FILTERS`: the choices that `f` goes through, with what each is called.
    """

    COLUMNS: ClassVar[Sequence[Column]] = ()
    NEWS: ClassVar[frozenset[str]] = frozenset()
    FILTERS: ClassVar[Sequence[tuple[int, str]]] = ((0, "all"),)
    SYMBOLS: ClassVar[bool] = True
    AUTO_FOCUS = "PagedTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "next_filter", "Filter", tooltip="The next choice of the filter"),
        Binding("s", "next_symbol", "Symbol", tooltip="Only one symbol, the next one, all"),
        Binding("r", "reload", "Newest", tooltip="Go to the newest rows"),
    ]

    def body(self) -> ComposeResult:
        with Horizontal(id="filters"):
            yield Static("", id="filter-words", markup=False)
        yield PagedTable(self.COLUMNS)

    def on_mount(self) -> None:
        """Nothing is read before the screen is shown."""
        self.choice = 0
        self.symbol = ""
        self._pace = Pace(self, READ_SECONDS, self._begin_reading)
        self._reading = False
        self._stale = False

    @property
    def table(self) -> PagedTable:
        """The table."""
        return self.query_one(PagedTable)

    @property
    def symbols(self) -> list[str]:
        """The symbols to ask for; empty means all."""
        return [self.symbol] if self.symbol else []

    async def fetch(self, page: common_pb2.Page) -> tuple[list[Row], str]:
        """One page of rows, and the token of the next. Raises ClientError."""
        raise NotImplementedError

    def show(self, facts: Facts, changed: frozenset[str]) -> None:
        """Something new: show it, unless somebody reads further down."""
        if facts.lost or not changed & (self.NEWS | {"link"}):
            return
        self._stale = True
        if self.table.at_top or not self.table.row_count:
            self._pace.ask()
        self._say()

    def _begin_reading(self) -> None:
        if not self._reading:
            self._reading, self._stale = True, False
            self.read(self._first_page(), self._show_first)

    async def _first_page(self) -> tuple[list[Row], str]:
        try:
            return await self.fetch(common_pb2.Page(size=PAGE_ROWS))
        finally:
            self._reading = False

    def _show_first(self, page: tuple[list[Row], str]) -> None:
        if self.table.row_count and not self.table.at_top:
            # Somebody began to read further down meanwhile.
            self._stale = bool(page[0]) and page[0][0].key != self.table.newest
            self._say()
            return
        self.table.show(*page)
        self._say()
        if self._stale:
            self._pace.ask()

    def on_paged_table_page_wanted(self, message: PagedTable.PageWanted) -> None:
        """The end of the table is near."""
        page = common_pb2.Page(size=PAGE_ROWS, token=message.token)
        self.read(self.fetch(page), lambda found: self._show_more(message.token, *found))

    def _show_more(self, token: str, rows: list[Row], following: str) -> None:
        # The table may have begun anew meanwhile.
        if self.table.awaits(token):
            self.table.extend_with(rows, following)
            self._say()

    def _say(self) -> None:
        self.query_one("#filter-words", Static).update(self.words())

    def words(self) -> Content:
        """The filters in words, how many rows were read, whether there are newer ones."""
        parts = (
            [(" showing ", "dim"), (self.FILTERS[self.choice][1], "accent")] if len(self.FILTERS) > 1 else []
        )
        if self.SYMBOLS:
            parts += [(" of ", "dim"), (text.visible(self.symbol) or "every symbol", "accent")]
        count = f"{self.table.row_count:,} rows" if self.table.row_count else "nothing yet"
        parts += [(f"   {count}" + (", more below" if self.table.more else ""), "dim")]
        if self._stale and not self.table.at_top:
            parts += [("   ▲ newer rows: r", "warn")]
        return pieces(*parts)

    def action_next_filter(self) -> None:
        """Go to the next choice of the filter."""
        self.choice = (self.choice + 1) % len(self.FILTERS)
        self._afresh()

    def action_next_symbol(self) -> None:
        """Only the next symbol; after the last, all of them."""
        choices = ["", *self.console.facts.symbols]
        self.symbol = choices[
            (choices.index(self.symbol) + 1) % len(choices) if self.symbol in choices else 0
        ]
        self._afresh()

    def action_reload(self) -> None:
        """Go to the newest rows."""
        self._afresh()

    def _afresh(self) -> None:
        self.table.move_cursor(row=0, animate=False)
        self.table.scroll_to(y=0, animate=False)
        self._stale = True
        self._pace.ask()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the filters that this table does not have."""
        if action == "next_filter" and len(self.FILTERS) < 2:
            return False
        if action == "next_symbol" and not self.SYMBOLS:
            return False
        return super().check_action(action, parameters)


class Searching(Listing):
    """A listing with a text to look for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search", "Search", key_display="/")]

    def body(self) -> ComposeResult:
        with Horizontal(id="filters"):
            yield Static("", id="filter-words", markup=False)
            yield Input(placeholder="/ search", id="search", compact=True)
        yield PagedTable(self.COLUMNS)

    @property
    def sought(self) -> str:
        """The text to look for."""
        return self.query_one("#search", Input).value.strip()[:200]

    def action_search(self) -> None:
        """Type a text to look for."""
        self.query_one("#search", Input).focus()

    def on_input_changed(self) -> None:
        """Another text: look for it."""
        self._afresh()

    def on_input_submitted(self) -> None:
        """Back to the table."""
        self.table.focus()

    def key_escape(self) -> None:
        """Back to the table."""
        self.table.focus()
