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
    CancelIntended,
    FillBooked,
    OrderChanged,
    OrderEnded,
    OrderIntended,
    OrderReasonRaised,
    OutcomeDecided,
    TradeClosed,
)
from trading.events import CandlesClosed, OrderReported, SignalsCollected
from trading.journal import Entry
from trading.orders import Fill, OrderState
from trading.state import EngineState

Telling = tuple["event_pb2.Topic.ValueType", str, event_pb2.Event]


class Teller:
    """Tells entries in order; remembers the orders that are not final, with their fills, a few a symbol.

    Of an order that was partly filled before the first entry, the fills before it are not told.
    """

    def __init__(self, state: EngineState) -> None:
        self._units = Units(state.rules)
        self._alive: dict[str, Row] = {}
        self._fills: dict[str, list[Row]] = {}
        for symbol in state.symbols.values():
            at_exchange = symbol.live.orders() if symbol.live is not None else []
            for order in (symbol.entry, symbol.exit, *at_exchange):
                if order is not None:
                    self._alive[order.id] = order_row(order, state.sequence, self._units)

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
            case OrderIntended(order=order) | OrderReasonRaised(order=order) | OrderChanged(order=order):
                self._alive[order.id] = order_row(order, entry.sequence, self._units)
                yield self._told(order.id, final=order.state is OrderState.FILLED)
            case CancelIntended(order_id=order_id) if order_id in self._alive:
                self._alive[order_id]["cancelling"] = decision.why
                yield self._told(order_id)
            case FillBooked(fill=fill):
                row = fill_row(fill, entry.sequence, self._units)
                self._fills.setdefault(fill.order_id, []).append(row)
                if not isinstance(entry.event, OrderReported):
                    yield self._filled(fill, entry.sequence)
            case OrderEnded(ending=ending) if ending.order_id in self._alive:
                ended = {"state": ending.state.value, "ended_why": ending.why}
                self._alive[ending.order_id].update(ended)
                yield self._told(ending.order_id, final=True)
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

    def _filled(self, fill: Fill, sequence: int) -> Telling:
        """A simulated fill is the whole of its order."""
        row = filled_order_row(fill, sequence, self._units)
        waiting = self._alive.setdefault(fill.order_id, row)
        waiting.update(state=row["state"], filled=row["filled"])
        return self._told(fill.order_id, final=True)

    def _told(self, order_id: str, *, final: bool = False) -> Telling:
        row, fills = self._alive[order_id], self._fills.get(order_id, [])
        if final:
            del self._alive[order_id]
            self._fills.pop(order_id, None)
        return event_pb2.TOPIC_ORDERS, row["symbol"], event_pb2.Event(order=order_message(row, fills))
