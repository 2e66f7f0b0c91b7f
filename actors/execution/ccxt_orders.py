"""Orders, fills and balances as ccxt hands them over, read strictly: what is not plain is malformed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trading.exchange_orders import Execution, OwnTrade, Placement, Standing
from trading.orders import OrderKind, OrderState
from trading.signals import Side

STATES = {
    "open": OrderState.OPEN,
    "canceling": OrderState.OPEN,
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REFUSED,
}


class Malformed(ValueError):
    """An answer that does not say what it must."""


def standing_of(order: Any, symbol: str, market_id: str) -> Standing:
    """How an order stands. Raises Malformed for an answer that is not wholly one about this market."""
    facts = _facts(order, symbol, market_id)
    amount, filled = number(order.get("amount")), number(order.get("filled"))
    state = STATES.get(order.get("status"))
    if state is None or not amount or filled > amount:
        raise Malformed("the answer does not say how the order stands")
    if state is OrderState.FILLED and filled < amount:
        raise Malformed("the order is said to be filled, and not to be")
    if state is OrderState.OPEN and filled:
        state = OrderState.PARTLY_FILLED
    kind = _kind(order)
    return Standing(
        client_id=str(facts.get("origClientOrderId") or order.get("clientOrderId") or ""),
        exchange_id=str(order["id"]),
        symbol=symbol,
        side=_side(order),
        kind=kind,
        amount=amount,
        state=state,
        filled=filled,
        executions=_told_fills(order, filled),
        trigger=_price(order.get("triggerPrice")),
        limit=None if kind is OrderKind.MARKET else _price(order.get("price")),
    )


def acknowledged(order: Any, placement: Placement, market_id: str) -> Standing | None:
    """A mere acknowledgement (the order's ids, no more) as an open order; None when it is something else."""
    facts = _facts(order, placement.symbol, market_id)
    if order.get("status") is not None or order.get("clientOrderId") != placement.client_id:
        return None
    if "symbol" not in facts or "status" in facts:
        return None
    return Standing(
        placement.client_id,
        str(order["id"]),
        placement.symbol,
        placement.side,
        placement.kind,
        placement.amount,
        OrderState.OPEN,
        trigger=placement.trigger,
        limit=placement.limit,
    )


def execution_of(trade: Any, symbol: str, time_ms: int | None = None) -> Execution:
    """A fill. Its fee is 0 in no currency only when the exchange tells none. Raises Malformed."""
    if not isinstance(trade, Mapping) or not trade.get("id") or trade.get("symbol") != symbol:
        raise Malformed("a fill without an id, or of another symbol")
    price, amount = number(trade.get("price")), number(trade.get("amount"))
    when = trade.get("timestamp") or time_ms
    if not price or not amount or not isinstance(when, int):
        raise Malformed("a fill without price, amount or time")
    fee, currency = _fee(trade)
    return Execution(str(trade["id"]), price, amount, fee, currency, when)


def own_trade(trade: Any, symbol: str) -> OwnTrade:
    """A fill on the account, with the order that it belongs to. Raises Malformed."""
    execution = execution_of(trade, symbol)
    if not trade.get("order"):
        raise Malformed("a fill of no order")
    return OwnTrade(symbol, _side(trade), str(trade["order"]), execution)


def holdings(balance: Any) -> dict[str, Decimal]:
    """What is held of each currency, free and locked; zeros are left out. Raises Malformed."""
    total = balance.get("total") if isinstance(balance, Mapping) else None
    if not isinstance(total, Mapping) or not total:
        raise Malformed("no balances")
    held = {str(name): number(each) for name, each in total.items()}
    return {name: each for name, each in held.items() if each}


def number(value: Any, negative: bool = False) -> Decimal:
    """An exact number. Raises Malformed for one that is missing, not finite, or below 0 unless it may be."""
    try:
        told = Decimal(str(value))
    except InvalidOperation:
        raise Malformed("not a number") from None
    if not told.is_finite() or (told < 0 and not negative):
        raise Malformed("not a number that can be")
    return told


def _facts(order: Any, symbol: str, market_id: str) -> Mapping[str, Any]:
    facts = order.get("info") if isinstance(order, Mapping) else None
    if not isinstance(facts, Mapping) or not order.get("id") or order.get("symbol") != symbol:
        raise Malformed("the answer is about no order of this symbol")
    if facts.get("symbol", market_id) != market_id:
        raise Malformed("the answer is about another symbol")
    return facts


def _told_fills(order: Any, filled: Decimal) -> tuple[Execution, ...]:
    """The fills that came with an order; none of them when one is malformed, then they are asked for."""
    trades = order.get("trades")
    if not filled or not isinstance(trades, list):
        return ()
    try:
        return executions_of(trades, str(order["symbol"]), order.get("timestamp"))
    except Malformed:
        return ()


def executions_of(trades: Iterable[Any], symbol: str, time_ms: int | None = None) -> tuple[Execution, ...]:
    """Fills, each once, as they came. Raises Malformed."""
    found = [execution_of(each, symbol, time_ms) for each in trades]
    return tuple({each.id: each for each in found}.values())


def _fee(trade: Any) -> tuple[Decimal, str]:
    fee = trade.get("fee") or {}
    if fee.get("cost") is None:
        return Decimal(0), ""
    if not fee.get("currency"):
        raise Malformed("a fee in no currency")
    return number(fee["cost"], negative=True), str(fee["currency"])


def _side(told: Any) -> Side:
    try:
        return Side(str(told.get("side")).upper())
    except ValueError:
        raise Malformed("neither bought nor sold") from None


def _kind(order: Any) -> OrderKind:
    kind = str(order.get("type"))
    if order.get("triggerPrice") is not None or "stop" in kind or "take_profit" in kind:
        return OrderKind.STOP
    return OrderKind.MARKET if kind == "market" else OrderKind.LIMIT


def _price(value: Any) -> Decimal | None:
    return number(value) or None if value is not None else None
