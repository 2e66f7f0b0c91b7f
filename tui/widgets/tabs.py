"""The names of the screens with the keys that lead there."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.paint import pieces

# Mode, key, name, name where there is little room.
SCREENS = (
    ("overview", "1", "Overview", "Over"),
    ("chart", "2", "Chart", "Chart"),
    ("trades", "3", "Trades", "Trade"),
    ("orders", "4", "Orders", "Order"),
    ("decisions", "5", "Decisions", "Decis"),
    ("strategies", "6", "Strategies", "Strat"),
    ("risk", "7", "Risk", "Risk"),
    ("runs", "8", "Runs", "Runs"),
    ("logs", "9", "Logs", "Logs"),
    ("accounts", "0", "Accounts", "Acct"),
)
WIDE = 110


class ScreenTabs(Static):
    """One line; a click leads to the screen as well."""

    class Chosen(Message):
        """A screen was clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, active: str) -> None:
        super().__init__(markup=False)
        self._active = active
        self._ends: list[tuple[int, str]] = []

    def on_resize(self) -> None:
        """Choose the names that fit."""
        line, self._ends = tabs(self._active, self.size.width)
        self.update(line)

    def on_click(self, event: events.Click) -> None:
        for end, mode in self._ends:
            if event.x < end:
                self.post_message(self.Chosen(mode))
                return


def tabs(active: str, width: int) -> tuple[Content, list[tuple[int, str]]]:
    """The line, and where each name ends."""
    line, ends = Content(""), []
    for mode, key, name, short in SCREENS:
        words = f" {name} " if width >= WIDE else f" {short}"
        here = mode == active
        label = (
            Content.styled(f" {key}{words}", "reverse bold")
            if here
            else pieces((f" {key}", "accent"), (words, ""))
        )
        line += label
        ends.append((len(line), mode))
    return line, ends
