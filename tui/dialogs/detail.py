"""Something in full, to read and to scroll."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static


class Detail(ModalScreen[None]):
    """A title and a text over the screen; Esc or Enter closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss(None)", "Back"),
        Binding("down,j", "down", "Scroll", key_display="↑↓"),
        Binding("up", "up", show=False),
    ]

    def __init__(self, title: str, body: Content) -> None:
        super().__init__()
        self._title = title
        self._body = body

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="detail") as box:
            box.border_title = Content(self._title)
            yield Static(self._body, markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def action_down(self) -> None:
        """Scroll on."""
        self.query_one(VerticalScroll).scroll_down()

    def action_up(self) -> None:
        """Scroll back."""
        self.query_one(VerticalScroll).scroll_up()
