"""The latest votes: strategies down, symbols across, and what came of them below."""

from collections.abc import Sequence

from rich.text import Text
from textual.content import Content
from textual.coordinate import Coordinate
from textual.message import Message
from textual.widgets import DataTable

from autotrader.v1 import common_pb2, engine_pb2
from tui import text
from tui.paint import meter, paint, pieces
from tui.widgets.table import Column, drawn, same
from tui.words import SIDES, UNKNOWN

NAME_WIDTH = 11
CELL = Column("cell", "", NAME_WIDTH)
LEAST_CELL, MOST_CELL = 9, 30


class VoteMatrix(DataTable[Text]):
    """A cell for each strategy and symbol; Enter in a column asks why its symbol was decided so."""

    BORDER_TITLE = "Latest votes"

    class WhyWanted(Message):
        """A symbol was chosen."""

        def __init__(self, symbol: str) -> None:
            super().__init__()
            self.symbol = symbol

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="cell", fixed_columns=1, cell_padding=1, classes="panel")
        self._symbols: Sequence[engine_pb2.SymbolStatus] = ()
        self._cells: list[list[Content]] = []
        self._shape: object = None

    @property
    def chosen(self) -> str:
        """The symbol of the cursor's column; "" when there is none."""
        column = max(0, self.cursor_column - 1)
        return self._symbols[column].symbol if column < len(self._symbols) else ""

    def on_mount(self) -> None:
        """Cells keep their colours: another theme draws them anew."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._fill())

    def show(self, symbols: Sequence[engine_pb2.SymbolStatus]) -> None:
        """Show the newest votes of each symbol."""
        self._symbols = symbols
        if self._shape == self._shape_now():
            self._update()
        else:
            self._fill()

    def on_resize(self) -> None:
        """The bars take what room there is."""
        self._fill()

    def on_data_table_cell_selected(self, event: DataTable.CellSelected) -> None:
        """Ask why: the column names the symbol."""
        event.stop()
        if self.chosen:
            self.post_message(self.WhyWanted(self.chosen))

    def _fill(self) -> None:
        """Draw every cell anew."""
        cursor, place = self.cursor_coordinate, self.scroll_offset
        self.clear(columns=True)
        width = cell_width(len(self._symbols), self.size.width)
        self._cells = matrix(self._symbols, width)
        self._shape = self._shape_now()
        self.add_column("", width=NAME_WIDTH)
        for symbol in self._symbols:
            self.add_column(Text(text.visible(symbol.symbol)), width=width)
        for row in self._cells:
            self.add_row(*(drawn(cell, CELL) for cell in row))
        self.move_cursor(row=max(0, cursor.row), column=max(1, cursor.column), animate=False, scroll=False)
        self.scroll_to(place.x, place.y, animate=False)

    def _shape_now(self) -> object:
        return (self.size.width, [symbol.symbol for symbol in self._symbols], voters(self._symbols))

    def _update(self) -> None:
        """Draw only the cells that changed."""
        before = self._cells
        self._cells = matrix(self._symbols, cell_width(len(self._symbols), self.size.width))
        for place, (old, new) in enumerate(zip(before, self._cells, strict=True)):
            for number, cell in enumerate(new):
                if not same(old[number], cell):
                    self.update_cell_at(Coordinate(place, number), drawn(cell, CELL))


def cell_width(symbols: int, width: int) -> int:
    """The width of a symbol's column."""
    room = (width - NAME_WIDTH - 5) // max(1, symbols) - 2
    return min(MOST_CELL, max(LEAST_CELL, room))


def voters(symbols: Sequence[engine_pb2.SymbolStatus]) -> list[str]:
    """The strategies that voted on any symbol."""
    return list(dict.fromkeys(vote.strategy for symbol in symbols for vote in symbol.votes))


def matrix(symbols: Sequence[engine_pb2.SymbolStatus], width: int) -> list[list[Content]]:
    """The rows: the outcome of each symbol, what risk said, then each strategy with its votes."""
    if not symbols:
        return []
    rows = [
        [paint("outcome", "strong"), *map(outcome, symbols)],
        [paint("risk", "strong"), *map(refusal, symbols)],
    ]
    for name in voters(symbols):
        votes = [next((each for each in symbol.votes if each.strategy == name), None) for symbol in symbols]
        rows.append([paint(name), *(vote_cell(vote, width) for vote in votes)])
    return rows


def outcome(symbol: engine_pb2.SymbolStatus) -> Content:
    """How the vote on a symbol ended, and its score."""
    if symbol.outcome == common_pb2.SIDE_UNSPECIFIED:
        return paint(text.NONE, "dim")
    side = SIDES.get(symbol.outcome, UNKNOWN)
    return pieces((str(side), side.tone), (f" {symbol.score_percent:.0f}", ""))


def refusal(symbol: engine_pb2.SymbolStatus) -> Content:
    """What risk refused an entry for, or that nothing is bought at all."""
    if symbol.blocked:
        return paint("✖ blocked", "bad")
    return paint(f"✖ {text.readable(symbol.refusal)}", "bad") if symbol.refusal else paint("·", "dim")


def vote_cell(vote: common_pb2.Vote | None, width: int) -> Content:
    """A vote: symbol, confidence, bar."""
    if vote is None:
        return paint("- no vote", "dim")
    side = SIDES.get(vote.side, UNKNOWN)
    confidence = text.decimal(vote.confidence_percent) or 0
    head = paint(f"{side.symbol} {confidence:>3.0f} ", side.tone)
    room = max(1, width - 6)
    if not confidence:
        return head + paint("no opinion" if room >= 10 else "-", "dim")
    return head + meter(float(confidence) / 100, room, side.tone)
