"""Between the engine's integers and what an exchange is sent and says; every conversion has its home here."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from trading.client_ids import client_id
from trading.costs import fee
from trading.events import OrderReported, Price
from trading.exchange_orders import Execution, Placement, Quote
from trading.live_prices import mark_price
from trading.market import MarketUnits
from trading.orders import Fill, Order, OrderKind, OrderState
from trading.state import EngineState


def placement_of(order: Order, market: MarketUnits, engine: str) -> Placement:
    """An order as the exchange takes it."""
    return Placement(
        client_id(engine, order.id),
        order.symbol,
        order.side,
        order.kind,
        market.amount(order.amount),
        market.price(order.trigger) if order.kind is OrderKind.STOP else None,
        market.price(order.limit) if order.limit else None,
    )


def live_orders(state: EngineState) -> list[Order]:
    """Every order that is or should be at the exchange."""
    found: list[Order] = []
    for symbol in state.symbols.values():
        rest = symbol.live.orders() if symbol.live is not None else []
        orders = [order for order in (symbol.entry, symbol.exit, *rest) if order is not None]
        found += [order for order in orders if not order.held_back]
    return found


def report_event(
    engine_state: EngineState,
    order: Order,
    market: MarketUnits,
    time_ms: int,
    *,
    state: OrderState,
    exchange_id: str,
    executions: Iterable[Execution],
    why: str,
) -> OrderReported:
    """What the exchange says of one order, in the engine's units; filled is what its executions add up to."""
    fills = tuple(fill_of(each, order, market, engine_state) for each in executions)
    filled = sum(each.amount for each in fills)
    return OrderReported(time_ms, order.id, order.symbol, state, exchange_id, filled, fills, why)


def fill_of(execution: Execution, order: Order, market: MarketUnits, state: EngineState) -> Fill:
    """One execution with its fee in quote: base is worth the fill's price, any other currency its last known
    price, or else what the settings say that a fee costs (rulebook 2)."""
    price = int((execution.price / market.tick).to_integral_value(ROUND_HALF_EVEN))
    amount = int(execution.amount / market.lot)
    base, _, quote = order.symbol.partition("/")
    fee_base = 0
    if execution.fee_currency == base:
        fee_base = int((execution.fee / market.lot).to_integral_value(ROUND_CEILING))
        charged = market.notional(price, fee_base)
    elif execution.fee_currency == quote:
        charged = _units(execution.fee, state.rules.quote_decimals)
    elif not execution.fee_currency:
        charged = 0
    else:
        charged = _worth(execution, state) or fee(
            market.notional(price, amount), state.rules.costs.fee_percent, market.fee_step
        )
    return Fill(
        f"{order.symbol}:{execution.id}",
        order.id,
        order.symbol,
        order.side,
        amount,
        price,
        charged,
        execution.time_ms,
        order.reason,
        fee_base=fee_base,
        fee_currency=execution.fee_currency,
        fee_paid=f"{execution.fee:f}" if execution.fee else "",
    )


def prices_of(quotes: Iterable[Quote], markets: Mapping[str, MarketUnits]) -> tuple[Price, ...]:
    """Quotes in ticks: bids rounded down, asks up."""
    return tuple(
        Price(
            each.symbol,
            int(each.bid // markets[each.symbol].tick),
            int((each.ask / markets[each.symbol].tick).to_integral_value(ROUND_CEILING)),
            each.time_ms,
        )
        for each in quotes
        if each.symbol in markets
    )


def _worth(execution: Execution, state: EngineState) -> int:
    """A fee in another currency in quote units, at that currency's last known price; 0 when it has none."""
    symbol = f"{execution.fee_currency}/{state.rules.quote}"
    for market in state.rules.markets:
        if market.symbol == symbol:
            price = market.price(mark_price(state.symbols[symbol]))
            return _units(price * execution.fee, state.rules.quote_decimals)
    return 0


def _units(money: Decimal, decimals: int) -> int:
    return int(money.scaleb(decimals).to_integral_value(ROUND_CEILING))
