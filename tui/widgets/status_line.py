"""The line at the top: mode, state, equity, today's result, and whether the engine is there."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from autotrader.v1 import engine_pb2
from tui import text
from tui.facts import Facts
from tui.paint import paint, pieces, result
from tui.words import MODES, STATES, UNKNOWN, Word, mode_words


class StatusLine(Horizontal):
    """One line that is on every screen; the mode's badge is never left out."""

    def compose(self) -> ComposeResult:
        yield Static("", id="mode", markup=False)
        yield Static("", id="account", markup=False)
        yield Static("", id="link", markup=False)

    def show(self, facts: Facts, now: float, address: str) -> None:
        """Show the status; `now` is the time of day (seconds since 1970)."""
        badge = self.query_one("#mode", Static)
        mode = facts.status.mode if facts.status else engine_pb2.TRADING_MODE_UNSPECIFIED
        name = "CONNECTING" if facts.connecting else MODES.get(mode, "NO ENGINE")
        money = "REAL MONEY " if mode == engine_pb2.TRADING_MODE_LIVE else ""
        words = mode_words(facts.status) if facts.status and mode in MODES else name
        badge.update(f" {words} {money}")
        badge.set_classes(f"mode-{name.lower().replace(' ', '-')}")
        self.set_class(mode == engine_pb2.TRADING_MODE_LIVE, "-live")
        self.query_one("#account", Static).update(account(facts))
        self.query_one("#link", Static).update(link(facts, now, address, wide=self.size.width >= 120))


def account(facts: Facts) -> Content:
    """State, equity, and what today made."""
    status = facts.status
    if status is None:
        return paint(" no data yet", "dim")
    state = STATES.get(status.state, UNKNOWN)
    if facts.lost:
        state = Word("?", f"was {state.word}", "warn")
    return Content(" ").join(
        [
            Content(""),
            paint(str(state), state.tone),
            paint(text.number(status.equity_quote, 2), "strong") + paint(f" {status.quote}"),
            pieces(("today ", "dim")) + result(status.day_result_percent, 2, " %"),
        ]
    )


def link(facts: Facts, now: float, address: str, *, wide: bool) -> Content:
    """Whether the engine is there, where it is, who looks, and the time."""
    there = paint("● live ", "good")
    if facts.lost:
        there = paint("… ", "warn") if facts.connecting else paint("✖ AWAY ", "loud")
    who = f"{facts.caller.name}@{address} " if facts.caller.name else f"{address} "
    return (paint(who, "dim") if wide else Content("")) + there + paint(f"{text.clock(now)} UTC ")
