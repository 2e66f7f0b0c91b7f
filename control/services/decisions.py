"""Why did it trade? Why did it not?"""

from typing import Any

from sqlalchemy import Connection

from actors.persistence import pages, related
from actors.persistence.pages import Cut, DecisionFilter
from autotrader.v1 import decision_pb2, decision_pb2_grpc, portfolio_pb2
from control import rows
from control.arguments import cut_of, span_of, symbol_of, symbols_of, time_of
from control.faults import invalid, not_found
from control.reads import Reads
from trading.timeframe import iso

_CAME = {
    decision_pb2.DECISION_KIND_UNSPECIFIED: "",
    decision_pb2.DECISION_KIND_APPROVED: "approved",
    decision_pb2.DECISION_KIND_REFUSED: "refused",
    decision_pb2.DECISION_KIND_UNCHANGED: "unchanged",
}


class DecisionServicer(decision_pb2_grpc.DecisionServiceServicer):
    """Every vote's outcome and what came of it, from the database."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def ListDecisions(
        self, request: decision_pb2.ListDecisionsRequest, context: Any
    ) -> decision_pb2.ListDecisionsResponse:
        """Decisions with their votes; without orders and fills."""
        run = self._reads.run
        if request.kind not in _CAME:
            raise invalid("kind", f"{request.kind} is not known")
        chosen = DecisionFilter(
            symbols_of(request.symbols, run.symbols), _CAME[request.kind], span_of(request.range)
        )
        return await self._reads.ask(_decisions, run.id, chosen, cut_of(request.page))

    async def GetDecision(
        self, request: decision_pb2.GetDecisionRequest, context: Any
    ) -> decision_pb2.GetDecisionResponse:
        """One decision with its order and fills."""
        run = self._reads.run
        symbol = symbol_of("symbol", request.symbol, run.symbols)
        if not request.HasField("open_time"):
            raise invalid("open_time", "is missing; it names the candle")
        time_ms = time_of("open_time", request.open_time)
        found = await self._reads.ask(_decision, run.id, symbol, time_ms)
        if found is None:
            raise not_found("open_time", await self._nearest(symbol, time_ms))
        return decision_pb2.GetDecisionResponse(decision=found)

    async def _nearest(self, symbol: str, time_ms: int) -> str:
        """The end of the sentence on a decision that is not there."""
        missing = f"there is no decision on {symbol} at {iso(time_ms)}"
        before = await self._reads.ask(related.decided_before, self._reads.run.id, symbol, time_ms)
        return missing if before is None else f"{missing}; the one before is at {iso(before)}"


def _decisions(
    connection: Connection, run_id: int, chosen: DecisionFilter, cut: Cut
) -> decision_pb2.ListDecisionsResponse:
    part = pages.decisions(connection, run_id, chosen, cut)
    heard = related.heard(connection, run_id, part.rows)
    return decision_pb2.ListDecisionsResponse(
        decisions=[_message(row, heard) for row in part.rows], next_page_token=part.token
    )


def _decision(
    connection: Connection, run_id: int, symbol: str, open_time_ms: int
) -> decision_pb2.Decision | None:
    row = related.decision(connection, run_id, symbol, open_time_ms)
    if row is None:
        return None
    order = _order(connection, run_id, row["order_id"]) if row["order_id"] else None
    return _message(row, related.heard(connection, run_id, [row]), order)


def _message(
    row: rows.Row, heard: related.Heard, order: portfolio_pb2.Order | None = None
) -> decision_pb2.Decision:
    symbol, open_time_ms = row["symbol"], row["open_time"]
    absent = heard.absent.get((symbol, open_time_ms), ())
    return rows.decision_message(row, absent, order, heard.reasons.get(symbol))


def _order(connection: Connection, run_id: int, order_id: str) -> portfolio_pb2.Order | None:
    row = related.order(connection, run_id, order_id)
    if row is None:
        return None
    fills = related.fills_of(connection, run_id, [order_id])
    return rows.order_message(row, fills.get(order_id, ()))
