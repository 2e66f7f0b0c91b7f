"""What a market of an exchange takes: its filters, the form of its stops, and whether an order fits."""

from decimal import Decimal
from typing import Any, Literal

from trading.exchange_orders import Filter, Placement
from trading.orders import OrderKind

StopForm = Literal["market", "limit", ""]
Market = dict[str, Any]
_DECIMAL_PLACES, _SIGNIFICANT_DIGITS = 2, 3


def filter_of(client: Any, market: Market) -> Filter:
    """The rules of a market, from what ccxt read of the exchange."""
    limits = market["limits"]
    market_most = (limits.get("market") or {}).get("max")
    most = [each for each in (_number(limits["amount"].get("max")), _number(market_most)) if each]
    return Filter(
        market["symbol"],
        tick=_step(client, market["precision"]["price"]),
        lot=max(_step(client, market["precision"]["amount"]), _market_lot(market)),
        min_notional=_number(limits["cost"].get("min")),
        min_amount=max(
            _number(limits["amount"].get("min")), _number((limits.get("market") or {}).get("min"))
        ),
        most_amount=min(most, default=Decimal(0)),
        trading=market.get("active") is not False,
    )


def stop_form(client: Any, market: Market) -> StopForm:
    """How a stop rests at the exchange: it sells at any price once triggered (`market`), or down to a limit
    (`limit`), or the exchange has none."""
    kinds = (market.get("info") or {}).get("orderTypes")
    if isinstance(kinds, list):
        return "market" if "STOP_LOSS" in kinds else "limit" if "STOP_LOSS_LIMIT" in kinds else ""
    return "market" if stop_parameter(client) else ""


def stop_parameter(client: Any) -> str:
    """ccxt's name of a stop's trigger price at this exchange, or empty."""
    can = _features(client, "createOrder")
    return next((name for name in ("stopLossPrice", "triggerPrice") if can.get(name)), "")


def lookups(client: Any) -> list[dict[str, Any]]:
    """The parameters of each place where an order may be found: some exchanges keep their stops apart."""
    return [{}, {"trigger": True}] if _features(client, "fetchOrder").get("trigger") else [{}]


def misfit(client: Any, market: Market | None, placement: Placement) -> str:
    """Why an order cannot be sent as it is, or empty; nothing is rounded here."""
    if market is None:
        return f"{placement.symbol} is not traded here"
    rules = filter_of(client, market)
    if not placement.amount.is_finite() or placement.amount <= 0:
        return f"the amount {placement.amount} is not positive"
    if placement.amount % rules.lot:
        return f"the amount {placement.amount} is no multiple of {rules.lot}"
    for name, price in (("limit", placement.limit), ("trigger", placement.trigger)):
        if price is not None and (not price.is_finite() or price <= 0 or price % rules.tick):
            return f"the {name} {price} is no multiple of {rules.tick}"
    return _missing(placement, stop_form(client, market))


def _missing(placement: Placement, form: StopForm) -> str:
    if placement.kind is OrderKind.LIMIT and placement.limit is None:
        return "a limit order needs its limit"
    if placement.kind is not OrderKind.STOP:
        return ""
    if placement.trigger is None:
        return "a stop needs its trigger"
    if form == "limit" and placement.limit is None:
        return f"{placement.symbol} has stop-limit orders only, and the stop has no limit"
    return "" if form else f"{placement.symbol} has no stop orders"


def _features(client: Any, method: str) -> dict[str, Any]:
    spot = (client.features or {}).get("spot") or {}
    return spot.get(method) or {}


def _market_lot(market: Market) -> Decimal:
    """Binance's step for market orders, which may be coarser; 0 where there is none."""
    filters = (market.get("info") or {}).get("filters")
    found = filters if isinstance(filters, list) else []
    steps = [each.get("stepSize") for each in found if each.get("filterType") == "MARKET_LOT_SIZE"]
    return max(map(_number, steps), default=Decimal(0))


def _step(client: Any, precision: Any) -> Decimal:
    """A price or amount step from ccxt's precision, which is a step or a number of decimals."""
    if client.precisionMode in (_DECIMAL_PLACES, _SIGNIFICANT_DIGITS):
        return Decimal(1).scaleb(-int(precision or 8))
    return _number(precision) or Decimal("1e-8")


def _number(value: Any) -> Decimal:
    """A number without trailing zeros; 0 for one that is not told."""
    told = Decimal(0 if value is None else str(value)).normalize()
    return told.quantize(Decimal(1)) if told == told.to_integral_value() else told
