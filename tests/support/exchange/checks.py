"""What the exchange refuses before it takes an order: malformed parameters and failed filters."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from tests.support.exchange.model import STOPS, WITH_LIMIT, Order, OrderSide, Refusal
from tests.support.exchange.tape import Tape

NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
MOST_PRICE = Decimal(1_000_000)


def parsed(params: Mapping[str, str], symbol: str, order_id: int, now_ms: int) -> Order:
    """The order of the parameters of a request.

    Raises Refusal.
    """
    side, kind = _text(params, "side"), _text(params, "type")
    if side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    if kind not in ("MARKET", "LIMIT", *STOPS):
        raise Refusal(-1116, "Invalid orderType.")
    client_id = params.get("newClientOrderId") or f"web_{order_id}"
    if not CLIENT_ID.fullmatch(client_id):
        raise Refusal(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
    if kind in WITH_LIMIT and _text(params, "timeInForce") != "GTC":
        raise Refusal(-1115, "Invalid timeInForce.")
    for name, kinds in (("price", WITH_LIMIT), ("timeInForce", WITH_LIMIT), ("stopPrice", STOPS)):
        if params.get(name) and kind not in kinds:
            raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
    return Order(
        id=order_id,
        client_id=client_id,
        symbol=symbol,
        side=cast(OrderSide, side),
        type=kind,
        amount=_number(params, "quantity"),
        price=_number(params, "price") if kind in WITH_LIMIT else Decimal(0),
        stop=_number(params, "stopPrice") if kind in STOPS else Decimal(0),
        time_ms=now_ms,
        update_ms=now_ms,
        working=False,
    )


def check_filters(order: Order, tape: Tape) -> None:
    """The market's filters.

    Raises Refusal.
    """
    market, kind = tape.market, order.type
    prices = [*([order.price] if kind in WITH_LIMIT else []), *([order.stop] if kind in STOPS else [])]
    if any(not market.tick <= price <= MOST_PRICE or price % market.tick for price in prices):
        raise Refusal(-1013, "Filter failure: PRICE_FILTER")
    if not market.min_amount <= order.amount <= market.most_amount or order.amount % market.lot:
        raise Refusal(-1013, "Filter failure: LOT_SIZE")
    if kind == "MARKET" and order.amount > market.most_market_amount:
        raise Refusal(-1013, "Filter failure: MARKET_LOT_SIZE")
    if order.amount * (order.price or order.stop or tape.price) < market.min_notional:
        raise Refusal(-1013, "Filter failure: NOTIONAL")


def _text(params: Mapping[str, str], name: str) -> str:
    if not (text := params.get(name)):
        raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return text


def _number(params: Mapping[str, str], name: str) -> Decimal:
    text = _text(params, name)
    if not NUMBER.fullmatch(text):
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.")
    if len(text.partition(".")[2].rstrip("0")) > 8:
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    return Decimal(text)
