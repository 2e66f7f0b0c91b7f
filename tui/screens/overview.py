"""Everything that matters in one look."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from autotrader.v1 import common_pb2, log_pb2, portfolio_pb2
from tui.facts import Facts
from tui.pace import Pace
from tui.rows import LOGS, POSITIONS, TRADES, log_row, position_row, trade_row
from tui.screens.view import View
from tui.screens.why import show_newest_why
from tui.widgets.account import AccountPanel
from tui.widgets.health import HealthPanel
from tui.widgets.limits import LimitBars
from tui.widgets.table import PagedTable, Row
from tui.widgets.votes import VoteMatrix

READ_SECONDS = 1.0
LATEST_ROWS = 30


class OverviewScreen(View):
    """Account, limits, positions, votes, health; on a tall screen the latest trades and log lines too."""

    MODE = "overview"
    AUTO_FOCUS = "#positions"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "close_position", "Close", tooltip="Sell the chosen position"),
        Binding("w", "why", "Why?", tooltip="Why was the chosen symbol decided so?"),
    ]

    def body(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield AccountPanel(classes="panel")
            yield LimitBars()
        positions = PagedTable(POSITIONS, id="positions")
        positions.add_class("panel")
        positions.border_title = "Open positions"
        yield positions
        with Horizontal(id="middle"):
            yield VoteMatrix(id="votes")
            yield HealthPanel(id="health")
        with Horizontal(id="bottom"):
            with Vertical(classes="half"):
                yield self._latest("latest-trades", "Latest trades")
            with Vertical(classes="half"):
                yield self._latest("latest-logs", "Latest log lines")

    @staticmethod
    def _latest(id: str, title: str) -> PagedTable:
        table = PagedTable(TRADES if id == "latest-trades" else LOGS, id=id)
        table.add_class("panel")
        table.border_title = title
        return table

    def on_mount(self) -> None:
        """Reads that the stream does not replace are made once a second at most."""
        feed = self.console.feed
        self._limits = Pace(self, READ_SECONDS, lambda: self.read(feed.read_limits(), self._show_limits))
        self._equity = Pace(self, READ_SECONDS, lambda: self.read(feed.read_equity(), self._show_equity))
        self._trades = Pace(self, READ_SECONDS, lambda: self.read(self._read_trades(), self._show_trades))
        self._logs = Pace(self, READ_SECONDS, lambda: self.read(self._read_logs(), self._show_logs))

    def show(self, facts: Facts, changed: frozenset[str]) -> None:
        """Show what changed; read beside it what the stream does not tell."""
        if "status" in changed:
            self.query_one(AccountPanel).show(facts)
            self.query_one(HealthPanel).show(facts.status)
            self.query_one(VoteMatrix).show(facts.status.symbols if facts.status else ())
        if "positions" in changed:
            self._show_positions(facts)
        if not facts.lost:
            self._read_beside(changed)

    def _read_beside(self, changed: frozenset[str]) -> None:
        if changed & {"status", "limits"}:
            self._limits.ask()
        if "equity" in changed:
            self._equity.ask()
        if self.query_one("#bottom").display:
            if "trade" in changed:
                self._trades.ask()
            if "log_entry" in changed:
                self._logs.ask()

    def _show_positions(self, facts: Facts) -> None:
        table = self.query_one("#positions", PagedTable)
        table.show([position_row(position) for position in facts.positions])
        table.border_subtitle = f"{len(facts.positions)} open" if facts.positions else "none"

    def _show_limits(self, _done: None) -> None:
        self.query_one(LimitBars).show(self.console.facts.limits)

    def _show_equity(self, _done: None) -> None:
        self.query_one(AccountPanel).show(self.console.facts)

    async def _read_trades(self) -> list[Row]:
        request = portfolio_pb2.ListTradesRequest(page=common_pb2.Page(size=LATEST_ROWS))
        answer = await self.console.client.portfolio.ListTrades(request)
        return [trade_row(trade) for trade in answer.trades]

    def _show_trades(self, rows: list[Row]) -> None:
        self.query_one("#latest-trades", PagedTable).show(rows)

    async def _read_logs(self) -> list[Row]:
        request = log_pb2.ListLogEntriesRequest(page=common_pb2.Page(size=LATEST_ROWS))
        answer = await self.console.client.logs.ListLogEntries(request)
        return [log_row(entry) for entry in answer.entries]

    def _show_logs(self, rows: list[Row]) -> None:
        self.query_one("#latest-logs", PagedTable).show(rows)

    def action_close_position(self) -> None:
        """Sell the chosen position."""
        row = self.query_one("#positions", PagedTable).chosen
        if row is None:
            self.notify("no position is open", severity="warning")
        else:
            self.console.do(self.console.commands.close_position(row.key))

    def action_why(self) -> None:
        """Why was the chosen symbol decided so?"""
        symbol = self.query_one(VoteMatrix).chosen
        if symbol:
            self._why(symbol)

    def on_vote_matrix_why_wanted(self, message: VoteMatrix.WhyWanted) -> None:
        """A cell of the matrix was chosen."""
        self._why(message.symbol)

    def _why(self, symbol: str) -> None:
        show_newest_why(self, symbol)

    def on_data_table_row_selected(self, event: PagedTable.RowSelected) -> None:
        """A position leads to its chart."""
        row = event.data_table.chosen if isinstance(event.data_table, PagedTable) else None
        if row and event.data_table.id == "positions":
            self.console.chart_symbol = row.key
            self.console.switch_mode("chart")


SCREEN = OverviewScreen
