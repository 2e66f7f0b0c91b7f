"""Every vote's outcome, and why."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from autotrader.v1 import common_pb2, decision_pb2
from tui.rows import DECISIONS, decision_row
from tui.screens.listing import Listing
from tui.screens.why import show_why
from tui.widgets.table import PagedTable, Row


class DecisionsScreen(Listing):
    """Why did it trade? Why did it not? Enter shows a decision in full."""

    MODE = "decisions"
    COLUMNS = DECISIONS
    NEWS: ClassVar[frozenset[str]] = frozenset({"decision"})
    FILTERS = (
        (decision_pb2.DECISION_KIND_UNSPECIFIED, "all decisions"),
        (decision_pb2.DECISION_KIND_APPROVED, "approved"),
        (decision_pb2.DECISION_KIND_REFUSED, "refused"),
        (decision_pb2.DECISION_KIND_UNCHANGED, "unchanged"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("w,enter", "why", "Why?", key_display="⏎")]

    async def fetch(self, page: common_pb2.Page) -> tuple[list[Row], str]:
        """One page of decisions. Raises ClientError."""
        request = decision_pb2.ListDecisionsRequest(page=page, symbols=self.symbols)
        request.kind = self.FILTERS[self.choice][0]
        answer = await self.console.client.decisions.ListDecisions(request)
        return [decision_row(decision) for decision in answer.decisions], answer.next_page_token

    def on_data_table_row_selected(self, event: PagedTable.RowSelected) -> None:
        """Show the decision in full."""
        self.action_why()

    def action_why(self) -> None:
        """Show the decision in full."""
        row = self.table.chosen
        if row and isinstance(row.source, decision_pb2.Decision):
            show_why(self, row.source.symbol, row.source.open_time)


SCREEN = DecisionsScreen
