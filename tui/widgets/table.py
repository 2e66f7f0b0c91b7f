"""A table that shows as many columns as fit, and asks for the next page when its end comes near."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.message import Message as Wire
from rich.text import Text
from textual import events
from textual.content import Content
from textual.coordinate import Coordinate
from textual.message import Message
from textual.style import Style
from textual.widgets import DataTable

MARGIN_ROWS = 15
SCROLLBAR = 2


class Column(NamedTuple):
    """A column: its width in cells, and its rank.

    Those of a higher rank go first when the screen is narrow.
    """

    key: str
    title: str
    width: int
    rank: int = 0
    right: bool = False
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row: what names it, what is shown of it, and the message that it was made of."""

    key: str
    cells: dict[str, Content]
    source: Wire


class PagedTable(DataTable[Text]):
    """Rows with one cursor.

    `PageWanted` is sent once for each page, `Row` messages as DataTable sends them.
    """

    class PageWanted(Message):
        """The end is near; `token` asks for the page that comes next."""

        def __init__(self, table: "PagedTable", token: str) -> None:
            super().__init__()
            self.table = table
            self.token = token

        @property
        def control(self) -> "PagedTable":
            return self.table

    def __init__(self, all_columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            cursor_type="row",
            zebra_stripes=True,
            cell_padding=1,
            cursor_foreground_priority="renderable",
        )
        self._all_columns = tuple(all_columns)
        self._shown: tuple[Column, ...] = ()
        self._rows: list[Row] = []
        self._token = ""
        self._asked = ""

    def on_mount(self) -> None:
        """Cells keep their colours: another theme draws them anew."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.redraw())

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor_row] if 0 <= self.cursor_row < len(self._rows) else None

    @property
    def newest(self) -> str:
        """What names the first row; "" without rows."""
        return self._rows[0].key if self._rows else ""

    @property
    def more(self) -> bool:
        """Whether there are rows that were not read yet."""
        return bool(self._token)

    def awaits(self, token: str) -> bool:
        """Whether this is the page that was asked for last."""
        return token == self._asked

    @property
    def at_top(self) -> bool:
        """Whether the newest row is chosen and seen, so that newer ones may push it down."""
        return self.cursor_row <= 0 and self.scroll_y == 0

    def show(self, rows: Sequence[Row], token: str = "") -> None:
        """Show these rows and no others; the cursor stays on its row when it is still there."""
        kept = self.chosen.key if self.chosen and not self.at_top else ""
        before, self._rows, self._token, self._asked = self._rows, list(rows), token, ""
        if self._shown and [row.key for row in before] == [row.key for row in rows]:
            self._update(before)
            return
        self._fill()
        position = next((index for index, row in enumerate(self._rows) if row.key == kept), 0)
        self.move_cursor(row=position, animate=False)

    def extend_with(self, rows: Sequence[Row], token: str) -> None:
        """Add the page that was asked for."""
        known = {row.key for row in self._rows}
        fresh = [row for row in rows if row.key not in known]
        self._rows += fresh
        self._token = token
        self._add(fresh)

    def redraw(self) -> None:
        """Draw the same rows again, in the colours of now."""
        cursor, place = self.cursor_row, self.scroll_y
        self._fill()
        self.move_cursor(row=cursor, animate=False, scroll=False)
        self.scroll_to(y=place, animate=False)

    def action_scroll_home(self) -> None:
        """The first row: a row has no cells to walk through."""
        self.action_scroll_top()

    def action_scroll_end(self) -> None:
        """The last row."""
        self.action_scroll_bottom()

    def on_resize(self, event: events.Resize) -> None:
        """Show the columns that fit the new width."""
        fitting = fitting_columns(self._all_columns, event.size.width - SCROLLBAR)
        if fitting != self._shown:
            self._shown = fitting
            self.redraw()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._ask_near_end(int(new_value) + self.size.height)

    def watch_cursor_coordinate(self, old_coordinate, new_coordinate) -> None:  # type: ignore[no-untyped-def]
        super().watch_cursor_coordinate(old_coordinate, new_coordinate)
        self._ask_near_end(new_coordinate.row)

    def _ask_near_end(self, last_row: int) -> None:
        if self._token and self._token != self._asked and last_row >= len(self._rows) - MARGIN_ROWS:
            self._asked = self._token
            self.post_message(self.PageWanted(self, self._token))

    def _update(self, before: Sequence[Row]) -> None:
        """The rows are the same: draw only the cells that changed."""
        for place, (old, new) in enumerate(zip(before, self._rows, strict=True)):
            for number, column in enumerate(self._shown):
                cell = new.cells.get(column.key)
                if not same(old.cells.get(column.key), cell):
                    self.update_cell_at(Coordinate(place, number), drawn(cell, column))

    def _fill(self) -> None:
        self.clear(columns=True)
        for column in self._shown:
            self.add_column(
                Text(column.title, justify="right" if column.right else "left"), width=column.width
            )
        self._add(self._rows)

    def _add(self, rows: Sequence[Row]) -> None:
        if self._shown:
            self.add_rows([[drawn(row.cells.get(each.key), each) for each in self._shown] for row in rows])


def fitting_columns(columns: Sequence[Column], width: int) -> tuple[Column, ...]:
    """The columns that fit in a width, those of the highest ranks left out first.

    What is left over goes to one.
    """
    shown = list(columns)
    while len(shown) > 1 and sum(column.width + 2 for column in shown) > width:
        worst = max(column.rank for column in shown)
        if worst == 0:
            break
        last = max(index for index, column in enumerate(shown) if column.rank == worst)
        del shown[last]
    spare = width - sum(column.width + 2 for column in shown)
    growing = next((index for index, column in enumerate(shown) if column.grows), None)
    if growing is not None and spare > 0:
        shown[growing] = shown[growing]._replace(width=shown[growing].width + spare)
    return tuple(shown)


def same(one: Content | None, other: Content | None) -> bool:
    """Whether two cells have the same text and the same tones."""
    return one is other or (one is not None and other is not None and one.is_same(other))


def drawn(cell: Content | None, column: Column) -> Text:
    """A cell in the theme's colours, in one line."""
    line = Text(no_wrap=True, overflow="ellipsis", justify="right" if column.right else "left", end="")
    for words, style in (Content("-") if cell is None else cell).render(Style(), end=""):
        line.append(words, style.rich_style)
    return line
