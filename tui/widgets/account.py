"""The account: equity, today's result, and how it came here."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Sparkline, Static

from autotrader.v1 import engine_pb2
from tui import text
from tui.facts import Facts
from tui.paint import paint, pieces, result
from tui.words import external_words


class AccountPanel(Vertical):
    """Figures above a sparkline of the equity."""

    BORDER_TITLE = "Account"

    def compose(self) -> ComposeResult:
        yield Static("", id="figures", markup=False)
        yield Sparkline([], summary_function=_last)

    def show(self, facts: Facts) -> None:
        """Show the newest equity and its curve."""
        figures = figures_of(facts.status) if facts.status else paint("no data yet", "dim")
        self.query_one("#figures", Static).update(figures)
        self.query_one(Sparkline).data = facts.equity
        self.border_subtitle = spread(facts.equity)


def _last(values: object) -> float:
    return list(values)[-1]  # type: ignore[call-overload,no-any-return]


def spread(equity: list[float]) -> str:
    """What the sparkline spans, since it has no axis."""
    return f"{min(equity):,.2f} to {max(equity):,.2f}" if equity else ""


def figures_of(status: engine_pb2.EngineStatus) -> Content:
    """Equity, today, total, cash, and what else is on the account at the exchange."""
    quote = f" {text.visible(status.quote)}"
    today = result(status.day_result_quote) + paint(f"{quote}  ") + result(status.day_result_percent, 2, " %")
    rows = [
        ("equity", paint(text.number(status.equity_quote, 2), "strong") + paint(quote)),
        ("today", today),
        ("total", result(status.total_return_percent, 2, " %") + trades(status)),
        ("cash", paint(text.number(status.cash_quote, 2)) + paint(quote)),
    ]
    if status.external:
        rows.append(("external", paint(f" {external_words(status)}", "dim")))
    return Content("\n").join(pieces((f"{name:<8}", "dim")) + value for name, value in rows)


def trades(status: engine_pb2.EngineStatus) -> Content:
    """How many trades and candles it took."""
    return paint(f"   {status.trades:,} trades", "dim")
