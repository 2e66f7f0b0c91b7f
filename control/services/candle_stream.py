"""Candles as they close."""

from collections.abc import AsyncGenerator
from itertools import groupby

from autotrader.v1 import event_pb2, market_pb2
from control.arguments import symbols_of
from control.calls import Context
from control.faults import exhausted
from control.read_model.model import ReadModel
from control.reads import Reads
from control.services.events import HEARTBEAT_SECONDS, MOST_EVENTS
from control.services.market import MarketServicer


class LiveMarketServicer(MarketServicer):
    """Candles from the database, and those that close from the read model."""

    def __init__(self, reads: Reads, model: ReadModel) -> None:
        super().__init__(reads)
        self._model = model

    async def StreamCandles(
        self, request: market_pb2.StreamCandlesRequest, context: Context
    ) -> AsyncGenerator[market_pb2.StreamCandlesResponse, None]:
        """One message for each open time."""
        symbols = symbols_of(request.symbols, self._model.state.symbols)
        ring = self._model.ring
        position = ring.end
        while True:
            found = ring.after(position, MOST_EVENTS)
            if found is None:
                raise exhausted("TOO_SLOW", "candles are gone that were not read; list them and stream anew")
            for _, tellings in groupby(found, key=lambda told: told.sequence):
                candles = [
                    told.event.candle
                    for told in tellings
                    if told.topic == event_pb2.TOPIC_CANDLES and (not symbols or told.symbol in symbols)
                ]
                if candles:
                    yield market_pb2.StreamCandlesResponse(candles=candles)
            if found:
                position = found[-1].position + 1
            else:
                await ring.changed(HEARTBEAT_SECONDS)
