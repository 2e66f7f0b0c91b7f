"""Are you sure? A word to type for what loses money or protection; a single key for the kill switch."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static


class Confirmation(ModalScreen[dict[str, str] | None]):
    """Asks to type a word, and for what else is needed; the answer is the fields' texts, None when given up.

    `word`: what must be typed. `fields`: more inputs by name, with their labels; names with "password" are
    hidden.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, title: str, explanation: str, word: str, fields: dict[str, str] | None = None) -> None:
        super().__init__()
        self._title = title
        self._explanation = explanation
        self._word = word
        self._fields = fields or {}

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Static(self._explanation, markup=False)
            for name, label in self._fields.items():
                yield Label(label, markup=False)
                yield Input(id=name, password="password" in name, compact=True)
            yield Label(f"Type the word {self._word} to go on:", markup=False)
            yield Input(id="word", placeholder=self._word, compact=True)
            yield Static("Enter goes on, Esc goes back", classes="hint", markup=False)

    @on(Input.Submitted)
    def _submit(self) -> None:
        answers = {name: self.query_one(f"#{name}", Input).value.strip() for name in (*self._fields, "word")}
        empty = next((name for name, value in answers.items() if not value), None)
        if empty:
            self.query_one(f"#{empty}", Input).focus()
        elif answers["word"].lower() != self._word:
            self.query_one(".hint", Static).update(f"The word is {self._word}; Esc goes back")
        else:
            self.dismiss(answers)


class KillConfirmation(ModalScreen[bool]):
    """One key away from the kill switch: Enter or y throws it, everything else goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "dismiss(True)", "Throw it"),
        Binding("escape,n,k", "dismiss(False)", "Back"),
    ]

    def __init__(self, positions: int) -> None:
        super().__init__()
        self._positions = positions

    def compose(self) -> ComposeResult:
        held = "1 position" if self._positions == 1 else f"{self._positions} positions"
        with Vertical(classes="dialog -danger") as box:
            box.border_title = "Kill switch"
            yield Static(
                f"Cancels every order, sells everything at market ({held}), "
                "and refuses entries until an admin resets it.",
                markup=False,
            )
            yield Static("Enter or y  THROW IT          Esc or n  go back", classes="choice", markup=False)
