"""Orders with their fills, the newest first."""

from typing import ClassVar

from google.protobuf.timestamp_pb2 import Timestamp
from textual.binding import Binding, BindingType

from autotrader.v1 import common_pb2, portfolio_pb2
from tui import text
from tui.dialogs.detail import Detail
from tui.rows import ORDERS, order_row
from tui.screens.listing import Listing
from tui.screens.why import show_why
from tui.why import order_text
from tui.widgets.table import PagedTable, Row
from tui.words import ALIVE

FILLED = (portfolio_pb2.ORDER_STATE_FILLED,)
WITHOUT_FILL = (
    portfolio_pb2.ORDER_STATE_CANCELLED,
    portfolio_pb2.ORDER_STATE_REFUSED,
    portfolio_pb2.ORDER_STATE_EXPIRED,
)
STATES = ((), ALIVE, FILLED, WITHOUT_FILL)


class OrdersScreen(Listing):
    """What was ordered; Enter shows an order with its fills, w the decision behind it."""

    MODE = "orders"
    COLUMNS = ORDERS
    NEWS: ClassVar[frozenset[str]] = frozenset({"order"})
    FILTERS = ((0, "all orders"), (1, "open"), (2, "filled"), (3, "ended without a fill"))
    BINDINGS: ClassVar[list[BindingType]] = [Binding("w", "why", "Why?")]

    async def fetch(self, page: common_pb2.Page) -> tuple[list[Row], str]:
        """One page of orders. Raises ClientError."""
        request = portfolio_pb2.ListOrdersRequest(page=page, symbols=self.symbols, states=STATES[self.choice])
        answer = await self.console.client.portfolio.ListOrders(request)
        return [order_row(order) for order in answer.orders], answer.next_page_token

    def _chosen(self) -> portfolio_pb2.Order | None:
        row = self.table.chosen
        return row.source if row and isinstance(row.source, portfolio_pb2.Order) else None

    def on_data_table_row_selected(self, event: PagedTable.RowSelected) -> None:
        """Show the order in full."""
        if order := self._chosen():
            self.app.push_screen(Detail(f"Order {text.visible(order.symbol)}", order_text(order)))

    def action_why(self) -> None:
        """Show the decision behind the order."""
        order = self._chosen()
        if order and order.reason != "signal":
            words = f"no vote is behind it: {text.readable(order.reason)}"
            self.notify(words, severity="warning", markup=False)
        elif order:
            show_why(self, order.symbol, self._candle(order))

    def _candle(self, order: portfolio_pb2.Order) -> Timestamp:
        """The open time of the candle at whose close the order was decided."""
        status = self.console.facts.status
        length = text.length_seconds(status.timeframe) if status else 0
        return Timestamp(seconds=order.decided_at.seconds - length)


SCREEN = OrdersScreen
