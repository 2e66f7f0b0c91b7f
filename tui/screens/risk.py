"""The limits: what they are, how much of each is used, and their change."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from autotrader.v1 import risk_pb2
from tui import text
from tui.client import ControlError, request_id
from tui.commands import PROOF_WANTED
from tui.dialogs.form import Field, Form
from tui.paint import meter, paint
from tui.screens.tabled import Tabled
from tui.widgets.table import Column, Row

BAR_WIDTH = 10
COLUMNS = (
    Column("name", "Limit", 25),
    Column("value", "Value", 7, right=True),
    Column("used", "Used", 7, right=True),
    Column("bar", "", BAR_WIDTH),
    Column("percent", "%", 4, right=True),
    Column("state", "", 9),
    Column("summary", "What it does", 60, 1, grows=True),
)


class RiskScreen(Tabled):
    """Enter changes a limit. What makes it looser asks for a word and for who you are."""

    MODE = "risk"
    COLUMNS = COLUMNS
    NEWS: ClassVar[frozenset[str]] = frozenset({"status", "limits"})
    DETAIL = "What it does"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "change_limit", "Change", key_display="⏎")]

    async def fetch(self) -> list[Row]:
        """Every limit. Raises ClientError."""
        await self.console.feed.read_limits()
        return [limit_row(limit) for limit in self.console.facts.limits]

    def detail(self, row: Row) -> Content:
        """What the limit does."""
        return limit_text(row.source) if isinstance(row.source, risk_pb2.Limit) else Content("")

    def on_data_table_row_selected(self) -> None:
        """Enter changes the chosen limit."""
        if self.check_action("change_limit", ()):
            self.action_change_limit()

    def action_change_limit(self) -> None:
        """Give the chosen limit another value."""
        row = self.table.chosen
        if row and isinstance(row.source, risk_pb2.Limit):
            self.console.do(self._change(row.source))

    async def _change(self, limit: risk_pb2.Limit) -> None:
        field = Field("value", text.readable(limit.name), limit.value)
        form = Form("Change a limit", [field], f"{text.visible(limit.summary)} 0 turns some limits off.")
        answers = await self.app.push_screen_wait(form)
        if not answers or answers["value"] == limit.value:
            return
        change = risk_pb2.LimitChange(name=limit.name, value=answers["value"])
        request = risk_pb2.UpdateLimitsRequest(request_id=request_id(), changes=[change])
        commands, update = self.console.commands, self.console.client.risk.UpdateLimits
        try:
            answer = await commands.send(update, request, leave=PROOF_WANTED)
        except ControlError:
            answer = await self._loosen(limit, change)
        if answer is not None:
            self._pace.ask()

    async def _loosen(
        self, limit: risk_pb2.Limit, change: risk_pb2.LimitChange
    ) -> risk_pb2.UpdateLimitsResponse | None:
        """The engine says that this takes protection away: the word, and once more who it is."""
        title = f"Loosen {text.readable(limit.name)}"
        step = f"From {text.visible(limit.value)} to {text.visible(change.value)}"
        commands, client = self.console.commands, self.console.client
        answers = await commands.confirmed(
            title, f"{step}: this protects less than before.", "loosen", proof=True
        )
        if answers is None:
            return None
        request = risk_pb2.UpdateLimitsRequest(
            request_id=request_id(),
            changes=[change],
            reauthentication=client.reauthentication(answers.get("password", "")),
        )
        return await commands.send(client.risk.UpdateLimits, request)


def limit_row(limit: risk_pb2.Limit) -> Row:
    """A limit in a line."""
    share = limit.used_percent / 100 if limit.HasField("used_percent") and not limit.off else None
    state = "off" if limit.off else "AT LIMIT" if share is not None and share >= 1 else ""
    cells = {
        "name": paint(text.readable(limit.name), "strong"),
        "value": paint(text.number(limit.value)),
        "used": paint(text.rounded(limit.used)),
        "bar": meter(share, BAR_WIDTH) if share is not None else Content(""),
        "percent": paint(f"{limit.used_percent:.0f}" if share is not None else text.NONE),
        "state": paint(state or ("changed" if limit.changed else ""), "warn" if state != "off" else "dim"),
        "summary": paint(limit.summary, "dim"),
    }
    return Row(limit.name, cells, limit)


def limit_text(limit: risk_pb2.Limit) -> Content:
    """A limit in full."""
    lines = [paint(f"{limit.name} = {limit.value}", "strong"), paint(limit.summary)]
    if limit.changed:
        lines.append(
            paint("changed while running; `autotrader config reset` takes the file's value again", "warn")
        )
    if limit.off:
        lines.append(paint("0 means off, and it is off", "dim"))
    return Content("\n").join(lines)


SCREEN = RiskScreen
