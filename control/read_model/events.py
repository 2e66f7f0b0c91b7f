"""What a journal entry tells a listener: its candles, outcomes, orders and trades as events."""

from collections.abc import Iterator

from actors.persistence.rows import (
    Row,
    abstention_row,
    candle_row,
    decision_row,
    fill_row,
    filled_order_row,
    order_row,
    trade_row,
)
from actors.persistence.units import Units
from autotrader.v1 import event_pb2
from control.rows import candle_message, decision_message, order_message, trade_message
from trading.decisions import (
    AnyDecision,
    Approved,
    FillBooked,
    OrderEnded,
    OrderIntended,
    OrderReasonRaised,
    OutcomeDecided,
    TradeClosed,
)
from trading.events import CandlesClosed, SignalsCollected
from trading.journal import Entry
from trading.orders import OrderState
from trading.state import EngineState

Telling = tuple["event_pb2.Topic.ValueType", str, event_pb2.Event]


class Teller:
    """Tells entries in order; remembers the orders that wait, at most two a symbol."""

    def __init__(self, state: EngineState) -> None:
        self._units = Units(state.rules)
        self._waiting: dict[str, Row] = {}
        for symbol in state.symbols.values():
            for order in (symbol.entry, symbol.exit):
                if order is not None:
                    self._waiting[order.id] = order_row(order, state.sequence, self._units)

    def events(self, entry: Entry) -> Iterator[Telling]:
        """The events of the next entry."""
        event = entry.event
        if isinstance(event, CandlesClosed):
            for candle in event.candles:
                row = candle_row(candle, event.open_time_ms, self._units)
                told = event_pb2.Event(candle=candle_message(row))
                yield event_pb2.TOPIC_CANDLES, candle.symbol, told
        for decision in entry.decisions:
            yield from self._decided(decision, entry)

    def _decided(self, decision: AnyDecision, entry: Entry) -> Iterator[Telling]:
        match decision:
            case OutcomeDecided():
                yield event_pb2.TOPIC_DECISIONS, decision.symbol, self._outcome(decision, entry)
            case OrderIntended(order=order) | OrderReasonRaised(order=order):
                row = self._waiting[order.id] = order_row(order, entry.sequence, self._units)
                yield self._order(row)
            case FillBooked(fill=fill):
                filled = filled_order_row(fill, entry.sequence, self._units)
                row = {**self._waiting.pop(fill.order_id, filled), "state": OrderState.FILLED.value}
                yield self._order(row, fill_row(fill, entry.sequence, self._units))
            case OrderEnded(ending=ending):
                ended = {"state": ending.state.value, "ended_why": ending.why}
                if ending.order_id in self._waiting:
                    yield self._order({**self._waiting.pop(ending.order_id), **ended})
            case TradeClosed(trade=trade):
                told = event_pb2.Event(trade=trade_message(trade_row(trade, entry.sequence, self._units)))
                yield event_pb2.TOPIC_TRADES, trade.symbol, told

    def _outcome(self, decided: OutcomeDecided, entry: Entry) -> event_pb2.Event:
        absent = []
        if isinstance(entry.event, SignalsCollected):
            absent = [
                abstention_row(each, entry.event.open_time_ms)
                for each in entry.event.abstentions
                if each.symbol in ("", decided.symbol)
            ]
        order = None
        if isinstance(decided.verdict, Approved):
            order = order_message(order_row(decided.verdict.order, entry.sequence, self._units))
        reasons = {(vote.strategy, vote.open_time_ms): vote.reasons for vote in decided.outcome.votes}
        message = decision_message(decision_row(decided), absent, order, reasons)
        return event_pb2.Event(decision=message)

    @staticmethod
    def _order(row: Row, *fills: Row) -> Telling:
        return event_pb2.TOPIC_ORDERS, row["symbol"], event_pb2.Event(order=order_message(row, fills))
