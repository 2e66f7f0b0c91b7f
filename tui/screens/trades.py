"""Closed trades, the newest first."""

from typing import ClassVar

from autotrader.v1 import common_pb2, portfolio_pb2
from tui import text
from tui.dialogs.detail import Detail
from tui.rows import TRADES, trade_row
from tui.screens.listing import Listing
from tui.why import trade_text
from tui.widgets.table import PagedTable, Row


class TradesScreen(Listing):
    """What was earned; Enter shows a trade with the votes that opened it."""

    MODE = "trades"
    COLUMNS = TRADES
    NEWS: ClassVar[frozenset[str]] = frozenset({"trade"})
    FILTERS = (
        (portfolio_pb2.TRADE_RESULT_UNSPECIFIED, "all trades"),
        (portfolio_pb2.TRADE_RESULT_WON, "winners"),
        (portfolio_pb2.TRADE_RESULT_LOST, "losers"),
    )

    async def fetch(self, page: common_pb2.Page) -> tuple[list[Row], str]:
        """One page of trades. Raises ClientError."""
        request = portfolio_pb2.ListTradesRequest(page=page, symbols=self.symbols)
        request.result = self.FILTERS[self.choice][0]
        answer = await self.console.client.portfolio.ListTrades(request)
        return [trade_row(trade) for trade in answer.trades], answer.next_page_token

    def on_data_table_row_selected(self, event: PagedTable.RowSelected) -> None:
        """Show the trade in full."""
        row = self.table.chosen
        if row and isinstance(row.source, portfolio_pb2.Trade):
            title = f"Trade {text.visible(row.source.symbol)}"
            self.app.push_screen(Detail(title, trade_text(row.source)))


SCREEN = TradesScreen
