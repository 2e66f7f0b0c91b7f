"""One fact of the engine as one row of its table, without the run that it belongs to."""

from decimal import Decimal
from typing import Any

import msgspec

from actors.persistence.units import EXACT, Units
from trading.candles import Candle
from trading.decisions import Approved, EquityMarked, OutcomeDecided, Refused
from trading.events import Abstention
from trading.ledger import Position, Trade
from trading.orders import Fill, Order, OrderKind, OrderState, Reason
from trading.signals import Signal
from trading.state import EngineState
from trading.vote import Vote

Row = dict[str, Any]

_encoder = msgspec.json.Encoder()
_NO_OPINION = Decimal(0)


def candle_row(candle: Candle, open_time_ms: int, units: Units) -> Row:
    """A row of `candles`."""
    symbol = candle.symbol
    return {
        "symbol": symbol,
        "open_time": open_time_ms,
        "open": units.price(symbol, candle.open),
        "high": units.price(symbol, candle.high),
        "low": units.price(symbol, candle.low),
        "close": units.price(symbol, candle.close),
        "volume": candle.volume,
        "filled": candle.filled,
    }


def signal_row(signal: Signal) -> Row:
    """A row of `signals`, with the reasons as a JSON list."""
    return {
        "open_time": signal.open_time_ms,
        "symbol": signal.symbol,
        "strategy": signal.strategy,
        "side": signal.side.value,
        "confidence_percent": percent(signal.confidence),
        "reasons": as_json(signal.reasons) if signal.reasons else None,
    }


def abstention_row(abstention: Abstention, open_time_ms: int) -> Row:
    """A row of `signals` without a side; why stands as its reason."""
    return {
        "open_time": open_time_ms,
        "symbol": abstention.symbol,
        "strategy": abstention.strategy,
        "side": None,
        "confidence_percent": None,
        "reasons": as_json((abstention.why,)),
    }


def decision_row(decided: OutcomeDecided) -> Row:
    """A row of `decisions`; the reasons of its votes stand in `signals`, once."""
    outcome, verdict = decided.outcome, decided.verdict
    refused = verdict if isinstance(verdict, Refused) else None
    return {
        "open_time": decided.open_time_ms,
        "symbol": decided.symbol,
        "side": outcome.side.value,
        "why": outcome.why.value,
        "score_percent": outcome.score_percent,
        "votes": as_json([_compact(vote) for vote in outcome.votes]) if outcome.votes else None,
        "verdict": type(verdict).__name__.lower() if verdict else None,
        "refusal": refused.reason.value if refused else None,
        "detail": (refused.detail or None) if refused else None,
        "order_id": verdict.order.id if isinstance(verdict, Approved) else None,
    }


def order_row(order: Order, sequence: int, units: Units) -> Row:
    """A row of `orders`: an order as it stands."""
    return {
        "id": order.id,
        "sequence": sequence,
        "symbol": order.symbol,
        "side": order.side.value,
        "kind": order.kind.value,
        "amount": units.amount(order.symbol, order.amount),
        "reason": order.reason.value,
        "state": order.state.value,
        "decided_at": order.decided_ms,
        "sizing_price": units.level(order.symbol, order.sizing_price),
        "ended_why": None,
        "trigger_price": units.level(order.symbol, order.trigger),
        "limit_price": units.level(order.symbol, order.limit),
        "filled": units.part(order.symbol, order.filled),
        "exchange_id": order.exchange_id or None,
        "cancelling": order.cancelling or None,
    }


def filled_order_row(fill: Fill, sequence: int, units: Units) -> Row:
    """A row of `orders` for a simulated fill: that of the stop or target, which never waited as an order."""
    protection = fill.reason in (Reason.STOP, Reason.TAKE_PROFIT)
    amount = units.amount(fill.symbol, fill.amount)
    return {
        "id": fill.order_id,
        "sequence": sequence,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "kind": fill.reason.value if protection else OrderKind.MARKET.value,
        "amount": amount,
        "reason": fill.reason.value,
        "state": OrderState.FILLED.value,
        "decided_at": fill.time_ms,
        "sizing_price": None,
        "ended_why": None,
        "trigger_price": None,
        "limit_price": None,
        "filled": amount,
        "exchange_id": None,
        "cancelling": None,
    }


def fill_row(fill: Fill, sequence: int, units: Units) -> Row:
    """A row of `fills`; what was paid stands in its own currency too."""
    return {
        "id": fill.id,
        "sequence": sequence,
        "order_id": fill.order_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "amount": units.amount(fill.symbol, fill.amount),
        "price": units.price(fill.symbol, fill.price),
        "notional": units.notional(fill.symbol, fill.price, fill.amount),
        "fee": units.quote(fill.fee),
        "time": fill.time_ms,
        "reason": fill.reason.value,
        "fee_base": units.part(fill.symbol, fill.fee_base),
        "fee_currency": fill.fee_currency or None,
        "fee_paid": Decimal(fill.fee_paid) if fill.fee_paid else None,
    }


def position_row(position: Position, units: Units) -> Row:
    """A row of `positions`; what was sold of it is None until something was."""
    symbol = position.symbol
    sold = bool(position.sold)
    return {
        **_entry_columns(position, units),
        "stop": units.level(symbol, position.stop),
        "target": units.level(symbol, position.target),
        "highest_close": units.price(symbol, position.highest_close),
        "sold": units.part(symbol, position.sold),
        "sold_notional": units.quote(position.sold_notional) if sold else None,
        "exit_fee": units.quote(position.exit_fee) if sold else None,
    }


def trade_row(trade: Trade, sequence: int, units: Units) -> Row:
    """A row of `trades`."""
    return {
        **_entry_columns(trade, units),
        "sequence": sequence,
        "exit_time": trade.exit_time_ms,
        "exit_price": units.price(trade.symbol, trade.exit_price),
        "exit_notional": units.quote(trade.exit_notional),
        "exit_fee": units.quote(trade.exit_fee),
        "exit_order_id": trade.exit_order_id,
        "exit_reason": trade.exit_reason.value,
        "realized_profit": units.quote(trade.realized_profit),
    }


def equity_row(marked: EquityMarked, units: Units) -> Row:
    """A row of `equity`."""
    return {
        "open_time": marked.open_time_ms,
        "equity": units.quote(marked.equity),
        "cash": units.quote(marked.cash),
        "held": marked.held,
    }


def risk_row(state: EngineState, units: Units) -> Row:
    """The run's row of `risk_state`."""
    return {
        "sequence": state.sequence,
        "equity": units.quote(state.equity),
        "cash": units.quote(state.cash),
        "reference": units.quote(state.reference),
        "peak": units.quote(state.peak),
        "day_base": units.quote(state.day_base),
        "day_end": state.day_end_ms,
        "day_blocked": state.day_blocked,
        "paused": state.paused,
        "killed": state.killed,
        "verified_flat": state.verified_flat,
    }


def percent(millionths: int) -> Decimal:
    """Millionths of a percent in percent."""
    return EXACT.scaleb(Decimal(millionths), -6) if millionths else _NO_OPINION


def as_json(value: object) -> str:
    """A value as JSON text."""
    return _encoder.encode(value).decode()


def _compact(vote: Vote) -> tuple[str, str, int, int, int]:
    return vote.strategy, vote.side, vote.confidence, vote.weight, vote.open_time_ms


def _entry_columns(held: Position | Trade, units: Units) -> Row:
    return {
        "symbol": held.symbol,
        "amount": units.amount(held.symbol, held.amount),
        "entry_time": held.entry_time_ms,
        "entry_price": units.price(held.symbol, held.entry_price),
        "entry_notional": units.quote(held.entry_notional),
        "entry_fee": units.quote(held.entry_fee),
        "entry_order_id": held.entry_order_id,
        "votes": as_json(held.votes),
    }
