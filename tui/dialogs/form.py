"""A few fields to fill in."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Select, Static


class Field(NamedTuple):
    """An input: its name, its label, what it holds at first, and the choices where it has some."""

    name: str
    label: str
    value: str = ""
    choices: Sequence[tuple[str, str]] = ()
    hint: str = ""
    optional: bool = False


class Form(ModalScreen[dict[str, str] | None]):
    """Asks for fields; the answer is their texts by name, None when given up.

    Enter in the last field goes on, in another one leads to the next. Names with "password" are hidden.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("ctrl+s", "submit", "Go on", priority=True),
    ]

    def __init__(self, title: str, fields: Sequence[Field], explanation: str = "") -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._explanation = explanation

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            if self._explanation:
                yield Static(self._explanation, markup=False, classes="explanation")
            with VerticalScroll(classes="fields", can_focus=False):
                for field in self._fields:
                    yield Label(field.label, markup=False)
                    yield self._input(field)
            yield Static(
                "Enter next, Ctrl+S or Enter at the end goes on, Esc goes back", classes="hint", markup=False
            )

    def on_mount(self) -> None:
        """The first label is seen too."""
        self.call_after_refresh(self.query_one(VerticalScroll).scroll_home, animate=False)

    @staticmethod
    def _input(field: Field) -> Input | Select[str]:
        if field.choices:
            value = field.value or field.choices[0][1]
            return Select(field.choices, value=value, allow_blank=False, id=field.name, compact=True)
        return Input(
            field.value,
            placeholder=field.hint,
            id=field.name,
            password="password" in field.name,
            compact=True,
        )

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        if event.input.id == self._fields[-1].name:
            self.action_submit()
        else:
            self.focus_next()

    def action_submit(self) -> None:
        """Give the answers, unless one is missing."""
        answers = {field.name: self._answer(field.name) for field in self._fields}
        for field in self._fields:
            if not field.optional and not answers[field.name]:
                self.query_one(f"#{field.name}").focus()
                self.query_one(".hint", Static).update(f"{field.label}: a value is needed; Esc goes back")
                return
        self.dismiss(answers)

    def _answer(self, name: str) -> str:
        widget = self.query_one(f"#{name}")
        return str(widget.value).strip() if isinstance(widget, Input | Select) else ""
