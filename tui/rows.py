"""Rows of the tables: what is shown of a position, a trade, an order, a decision, a line of the log."""

from autotrader.v1 import decision_pb2, log_pb2, portfolio_pb2
from tui import text
from tui.paint import paint, pieces, result
from tui.widgets.table import Column, Row
from tui.words import (
    DECISION_KINDS,
    LOG_LEVELS,
    SIDES,
    UNKNOWN,
    order_amount,
    order_price,
    order_state,
    protection_words,
)

POSITIONS = (
    Column("symbol", "Symbol", 10),
    Column("amount", "Amount", 11, 2, right=True),
    Column("entry", "Entry", 11, 1, right=True),
    Column("last", "Last", 11, right=True),
    Column("profit", "Profit", 11, right=True),
    Column("percent", "%", 8, right=True),
    Column("stop", "Stop", 11, right=True),
    Column("target", "Target", 11, 3, right=True),
    Column("notional", "Worth", 11, 4, right=True),
    Column("time", "Since (UTC)", 16, 5),
    Column("state", "", 8, 6, grows=True),
)
TRADES = (
    Column("exit_time", "Exit (UTC)", 16),
    Column("symbol", "Symbol", 10),
    Column("profit", "Profit", 11, right=True),
    Column("percent", "%", 8, right=True),
    Column("reason", "Exit by", 11),
    Column("amount", "Amount", 12, 4, right=True),
    Column("entry", "Entry", 11, 1, right=True),
    Column("exit", "Exit", 11, 2, right=True),
    Column("entry_time", "Entry (UTC)", 16, 3),
    Column("fees", "Fees", 8, 5, right=True),
    Column("order", "Order", 28, 6, grows=True),
)
ORDERS = (
    Column("time", "Decided (UTC)", 16),
    Column("symbol", "Symbol", 10),
    Column("side", "Side", 6),
    Column("kind", "Kind", 11, 2),
    Column("amount", "Amount", 12, right=True),
    Column("price", "Price", 11, right=True),
    Column("state", "State", 11),
    Column("reason", "Why", 11, 1),
    Column("id", "Order", 30, 3, grows=True),
)
DECISIONS = (
    Column("time", "Candle (UTC)", 16),
    Column("symbol", "Symbol", 10),
    Column("outcome", "Outcome", 7),
    Column("score", "Score", 6, right=True),
    Column("kind", "Came of it", 11),
    Column("why", "Why", 14, grows=True),
    Column("explanation", "In words", 80, 1),
)
LOGS = (
    Column("time", "Time (UTC)", 19),
    Column("level", "Level", 9),
    Column("source", "Source", 12, 2),
    Column("code", "Code", 10, 1),
    Column("text", "Text", 40, grows=True),
)


def position_row(position: portfolio_pb2.Position) -> Row:
    """An open position; a stop that is missing at the exchange is loud."""
    missing = position.protection == portfolio_pb2.PROTECTION_MISSING
    guard = protection_words(position) or "open"
    state = ", ".join(["closing"] * position.closing + [guard] * (guard != "open" or not position.closing))
    cells = {
        "symbol": paint(position.symbol, "strong"),
        "amount": paint(text.number(position.amount_base)),
        "entry": paint(text.price(position.entry_price_quote)),
        "last": paint(text.price(position.last_price_quote)),
        "profit": result(position.unrealized_profit_quote),
        "percent": result(position.unrealized_profit_percent),
        "stop": paint(("✖ " if missing else "") + text.price(position.stop_quote), "loud" if missing else ""),
        "target": paint(text.price(position.target_quote)),
        "notional": paint(text.number(position.notional_quote, 2)),
        "time": paint(text.moment(position.entry_time)),
        "state": paint(state, "loud" if missing else "warn" if position.closing else "dim"),
    }
    return Row(position.symbol, cells, position)


def trade_row(trade: portfolio_pb2.Trade) -> Row:
    """A closed trade."""
    fees = sum(filter(None, map(text.decimal, (trade.entry_fee_quote, trade.exit_fee_quote))))
    cells = {
        "exit_time": paint(text.moment(trade.exit_time)),
        "symbol": paint(trade.symbol),
        "profit": result(trade.realized_profit_quote),
        "percent": result(trade.realized_profit_percent),
        "reason": paint(text.readable(trade.exit_reason), "warn" if trade.exit_reason == "stop" else ""),
        "amount": paint(text.number(trade.amount_base)),
        "entry": paint(text.price(trade.entry_price_quote)),
        "exit": paint(text.price(trade.exit_price_quote)),
        "entry_time": paint(text.moment(trade.entry_time)),
        "fees": paint(f"{fees:,.2f}"),
        "order": paint(trade.entry_order_id, "dim"),
    }
    return Row(f"{trade.entry_order_id} {trade.exit_order_id}", cells, trade)


def order_row(order: portfolio_pb2.Order) -> Row:
    """An order as it stands."""
    side, state = SIDES.get(order.side, UNKNOWN), order_state(order)
    cells = {
        "time": paint(text.moment(order.decided_at)),
        "symbol": paint(order.symbol),
        "side": paint(str(side), side.tone),
        "kind": paint(text.readable(order.kind)),
        "amount": paint(order_amount(order)),
        "price": paint(text.price(order_price(order)), "" if order.fills else "dim"),
        "state": paint(str(state), state.tone),
        "reason": paint(text.readable(order.reason)),
        "id": paint(order.id, "dim"),
    }
    return Row(order.id, cells, order)


def decision_row(decision: decision_pb2.Decision) -> Row:
    """A vote's outcome and what came of it."""
    side, kind = SIDES.get(decision.outcome, UNKNOWN), DECISION_KINDS.get(decision.kind, UNKNOWN)
    why = text.readable(decision.refusal or decision.why)
    cells = {
        "time": paint(text.moment(decision.open_time)),
        "symbol": paint(decision.symbol),
        "outcome": paint(str(side), side.tone),
        "score": paint(f"{decision.score_percent:.1f}"),
        "kind": paint(str(kind), kind.tone),
        "why": paint(why, "bad" if decision.refusal else ""),
        "explanation": paint(decision.explanation, "dim"),
    }
    return Row(f"{decision.symbol} {decision.open_time.seconds}", cells, decision)


def log_row(entry: log_pb2.LogEntry) -> Row:
    """A line of the log."""
    level = LOG_LEVELS.get(entry.level, UNKNOWN)
    cells = {
        "time": paint(text.second(entry.time)),
        "level": pieces((f"{level.symbol} {level.word}", level.tone)),
        "source": paint(entry.source, "dim"),
        "code": paint(entry.code),
        "text": paint(entry.text, level.tone),
    }
    return Row(str(entry.id), cells, entry)
