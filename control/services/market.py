"""Candles that were stored."""

from typing import Any

from sqlalchemy import Connection

from actors.persistence import pages
from actors.persistence.pages import Span
from autotrader.v1 import market_pb2, market_pb2_grpc
from control import rows
from control.arguments import count_of, span_of, symbol_of
from control.reads import Reads

MOST_CANDLES = 5000
USUAL_CANDLES = 500


class MarketServicer(market_pb2_grpc.MarketServiceServicer):
    """Candles from the database."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def ListCandles(
        self, request: market_pb2.ListCandlesRequest, context: Any
    ) -> market_pb2.ListCandlesResponse:
        """The newest candles of a symbol in a range."""
        run = self._reads.run
        symbol = symbol_of("symbol", request.symbol, run.symbols)
        limit = count_of("limit", request.limit, 1, MOST_CANDLES, USUAL_CANDLES)
        return await self._reads.ask(_candles, run.id, symbol, span_of(request.range), limit)


def _candles(
    connection: Connection, run_id: int, symbol: str, span: Span, limit: int
) -> market_pb2.ListCandlesResponse:
    found = pages.candles(connection, run_id, symbol, span, limit)
    return market_pb2.ListCandlesResponse(candles=map(rows.candle_message, found))
