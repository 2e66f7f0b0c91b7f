"""What is held, was ordered and was earned."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from actors.persistence import pages, related
from actors.persistence.curve import equity_curve
from actors.persistence.pages import Cut, OrderFilter, Span, TradeFilter
from autotrader.v1 import portfolio_pb2, portfolio_pb2_grpc
from control import rows
from control.arguments import count_of, cut_of, span_of, symbols_of
from control.faults import invalid
from control.reads import Reads
from trading.errors import suggestion
from trading.orders import Reason

MOST_POINTS = 5000
USUAL_POINTS = 500

_WON = {
    portfolio_pb2.TRADE_RESULT_UNSPECIFIED: None,
    portfolio_pb2.TRADE_RESULT_WON: True,
    portfolio_pb2.TRADE_RESULT_LOST: False,
}


class PortfolioServicer(portfolio_pb2_grpc.PortfolioServiceServicer):
    """Positions from memory, everything else from the database."""

    def __init__(self, reads: Reads, positions: Callable[[], Sequence[portfolio_pb2.Position]]) -> None:
        self._reads = reads
        self._positions = positions

    async def ListPositions(
        self, request: portfolio_pb2.ListPositionsRequest, context: Any
    ) -> portfolio_pb2.ListPositionsResponse:
        """The open positions."""
        return portfolio_pb2.ListPositionsResponse(positions=self._positions())

    async def ListOrders(
        self, request: portfolio_pb2.ListOrdersRequest, context: Any
    ) -> portfolio_pb2.ListOrdersResponse:
        """Orders with their fills."""
        run = self._reads.run
        chosen = OrderFilter(
            symbols_of(request.symbols, run.symbols), _states(request.states), span_of(request.range)
        )
        return await self._reads.ask(_orders, run.id, chosen, cut_of(request.page))

    async def ListTrades(
        self, request: portfolio_pb2.ListTradesRequest, context: Any
    ) -> portfolio_pb2.ListTradesResponse:
        """Closed trades."""
        run = self._reads.run
        if request.result not in _WON:
            raise invalid("result", f"{request.result} is not known")
        chosen = TradeFilter(
            symbols_of(request.symbols, run.symbols),
            tuple(sorted({_reason(each) for each in request.exit_reasons})),
            _WON[request.result],
            span_of(request.range),
        )
        return await self._reads.ask(_trades, run.id, chosen, cut_of(request.page))

    async def GetEquityCurve(
        self, request: portfolio_pb2.GetEquityCurveRequest, context: Any
    ) -> portfolio_pb2.GetEquityCurveResponse:
        """Equity over time in few points."""
        run = self._reads.run
        points = count_of("points", request.points, 2, MOST_POINTS, USUAL_POINTS)
        return await self._reads.ask(_curve, run.id, run.rules.timeframe_ms, span_of(request.range), points)

    async def ListDailyStatistics(
        self, request: portfolio_pb2.ListDailyStatisticsRequest, context: Any
    ) -> portfolio_pb2.ListDailyStatisticsResponse:
        """One row a UTC day."""
        return await self._reads.ask(_days, self._reads.run.id, cut_of(request.page))


def _orders(
    connection: Connection, run_id: int, chosen: OrderFilter, cut: Cut
) -> portfolio_pb2.ListOrdersResponse:
    part = pages.orders(connection, run_id, chosen, cut)
    fills = related.fills_of(connection, run_id, [row["id"] for row in part.rows])
    return portfolio_pb2.ListOrdersResponse(
        orders=[rows.order_message(row, fills.get(row["id"], ())) for row in part.rows],
        next_page_token=part.token,
    )


def _trades(
    connection: Connection, run_id: int, chosen: TradeFilter, cut: Cut
) -> portfolio_pb2.ListTradesResponse:
    part = pages.trades(connection, run_id, chosen, cut)
    return portfolio_pb2.ListTradesResponse(
        trades=map(rows.trade_message, part.rows), next_page_token=part.token
    )


def _curve(
    connection: Connection, run_id: int, timeframe_ms: int, span: Span, points: int
) -> portfolio_pb2.GetEquityCurveResponse:
    found = equity_curve(connection, run_id, timeframe_ms, span, points)
    return portfolio_pb2.GetEquityCurveResponse(points=map(rows.equity_message, found))


def _days(connection: Connection, run_id: int, cut: Cut) -> portfolio_pb2.ListDailyStatisticsResponse:
    part = pages.days(connection, run_id, cut)
    return portfolio_pb2.ListDailyStatisticsResponse(
        days=map(rows.daily_message, part.rows), next_page_token=part.token
    )


def _states(numbers: Sequence[int]) -> tuple[str, ...]:
    """The stored states of a filter."""
    known = set(rows.ORDER_STATES.values())
    for number in numbers:
        if number not in known:
            raise invalid("states", f"{number} is not a state of an order")
    return tuple(name for name, number in rows.ORDER_STATES.items() if number in numbers)


def _reason(text: str) -> str:
    allowed = [reason.value for reason in Reason]
    if text not in allowed:
        raise invalid("exit_reasons", f"{text!r} is not known; {suggestion(text, allowed)}")
    return text
