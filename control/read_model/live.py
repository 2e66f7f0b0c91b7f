"""What only a live run has to show: marks between candles, protection, and what is still to be done."""

from collections.abc import Iterator

from actors.persistence.units import Units
from autotrader.v1 import engine_pb2, portfolio_pb2
from control.rows import decimal_text, timestamp
from trading.desk import held_at_all, working
from trading.ledger import Position
from trading.live_prices import mark_price
from trading.market import MarketUnits
from trading.state import EngineState, SymbolState


def equity_now(state: EngineState) -> int:
    """The equity in quote units: live at the newest prices, else at the newest close."""
    if state.rules.live is None:
        return state.equity
    symbols = ((market, state.symbols[market.symbol]) for market in state.rules.markets)
    return state.cash + sum(
        market.notional(mark_price(symbol), held_at_all(symbol)) for market, symbol in symbols
    )


def add_live_symbol(
    message: engine_pb2.SymbolStatus, symbol: SymbolState, market: MarketUnits, units: Units
) -> None:
    """What is known of a symbol at the exchange."""
    message.tick_quote = decimal_text(market.tick * market.price_step)
    message.lot_base = decimal_text(market.lot * market.amount_step)
    live = symbol.live
    if live is None:
        return
    message.blocked = live.blocked
    if live.price_ms:
        message.priced_at.CopyFrom(timestamp(live.price_ms))
    message.suspect_price_quote = decimal_text(units.level(symbol.symbol, live.suspect))
    if live.dust is not None:
        message.dust_base = decimal_text(units.amount(symbol.symbol, live.dust.amount))


def add_protection(
    message: portfolio_pb2.Position, state: EngineState, symbol: SymbolState, held: Position
) -> None:
    """Who watches over a position's stop, and since when nobody does."""
    live = symbol.live if state.rules.on_exchange else None
    if not held.stop:
        message.protection = portfolio_pb2.PROTECTION_NONE
    elif live is None:
        message.protection = portfolio_pb2.PROTECTION_ENGINE
    elif live.stop is not None and working(live.stop):
        message.protection = portfolio_pb2.PROTECTION_EXCHANGE
    elif live.bare_since_ms and symbol.exit is None:
        message.protection = portfolio_pb2.PROTECTION_MISSING
        message.unprotected_since.CopyFrom(timestamp(live.bare_since_ms))
    else:
        message.protection = portfolio_pb2.PROTECTION_ENGINE
    if live is not None and live.stop is not None:
        message.stop_order_id = live.stop.id


def holdings(state: EngineState) -> Iterator[engine_pb2.Holding]:
    """What the account holds beside the engine's, by currency."""
    external = (state.books.external if state.books is not None else None) or {}
    for currency, amount in sorted(external.items()):
        if amount:
            yield engine_pb2.Holding(currency=currency, amount=decimal_text(amount))


def unreconciled(state: EngineState) -> str:
    """Why the books are not known to be right, or empty; only an exchange has books to compare."""
    return state.books.unreconciled if state.books is not None and state.rules.on_exchange else ""


def kill_steps(state: EngineState, units: Units) -> Iterator[str]:
    """What the kill switch has still to do, in words; nothing when it is not thrown, or over."""
    if not state.killed or state.verified_flat:
        return
    for symbol in state.symbols.values():
        yield from _steps_of(symbol, units)
    if state.flat():
        yield "the exchange is asked whether anything of ours is left"


def _steps_of(symbol: SymbolState, units: Units) -> Iterator[str]:
    name, leaving = symbol.symbol, symbol.exit
    at_exchange = symbol.live.orders() if symbol.live is not None else []
    for order in (symbol.entry, *at_exchange):
        if order is not None:
            yield f"{name}: order {order.id} is being cancelled"
    if symbol.position is None:
        return
    amount = decimal_text(units.amount(name, symbol.position.amount))
    if leaving is None or leaving.held_back:
        yield f"{name}: {amount} will be sold"
    else:
        yield f"{name}: {amount} is being sold, order {leaving.id}"
