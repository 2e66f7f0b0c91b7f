"""Ledger and account: what they say of each other, and what follows (rulebook 7).

Invariants, of every currency, whenever nothing of ours is on its way:
- the account holds ledger + external, and external is never negative;
- an order of ours that is open at the exchange is an order of the engine's, and the other way round;
- each execution of our orders is booked once, by its id.

What the owner does by hand, pays in or takes out changes `external`. What is taken of the ledger's own
leaves the ledger, and moves reference, peak and day base by its worth (rulebook 6): it is no loss.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

from trading.client_ids import client_id, is_foreign, is_ours
from trading.decisions import AnyDecision, Level, Noticed, TradeClosed
from trading.desk import held_at_all, without, working
from trading.events import AccountCompared
from trading.exchange_orders import Account, OwnTrade
from trading.ledger import closed
from trading.live_prices import mark_price
from trading.live_state import Books
from trading.market import MarketUnits
from trading.order_reports import stray
from trading.orders import Order, OrderState
from trading.state import EngineState, SymbolState
from trading.symbols import quote_of

Found = list[AnyDecision]

# Exchanges count to 8 decimals; less than that is no difference.
LEAST = Decimal("0.00000001")
RECENT_MS = 60_000
# How old an answer about the account may be without saying so: our own newest fill may be missing in it.
SETTLED_MS = 2_000


def ledger_holdings(state: EngineState) -> dict[str, Decimal]:
    """What the ledger says the account holds, by currency."""
    rules = state.rules
    holdings = {rules.quote: Decimal(state.cash).scaleb(-rules.quote_decimals)}
    for market in rules.markets:
        base = base_of(market.symbol)
        lots = held_at_all(state.symbols[market.symbol])
        holdings[base] = holdings.get(base, Decimal(0)) + market.amount(lots)
    return holdings


def on_its_way(state: EngineState) -> bool:
    """Whether an order of ours may be changing the account now: then nothing can be compared."""
    for symbol in state.symbols.values():
        live = symbol.live
        if live is None:
            continue
        going = [order for order in (symbol.entry, symbol.exit) if order is not None and not order.held_back]
        if going or live.strays:
            return True
        if live.stop is not None and (not working(live.stop) or live.stop.cancelling):
            return True
    return False


def compare(state: EngineState, account: Account, engine_id: str) -> AccountCompared | None:
    """What a look at the account says; None when nothing can be said now.

    Give it the state as it was when the account was asked for and still is.
    """
    books = state.books
    if books is None or on_its_way(state):
        return None
    ours = {order.exchange_id for order in _orders(state, books) if order.exchange_id}
    alive = {order.exchange_id for each in state.symbols.values() for order in _alive(each)}
    if any(each.exchange_order_id in alive and not _booked(books, each) for each in account.trades):
        return None  # an order of ours was executed, which its report will say
    differences = _differences(state, books, account)
    newest_ms = next(reversed(books.booked.values()), 0)
    if differences and books.external is not None and abs(account.time_ms - newest_ms) < SETTLED_MS:
        return None
    manual = tuple(
        f"{trade.side} {trade.execution.amount} {trade.symbol} at {trade.execution.price} by hand"
        for trade in account.trades
        if trade.exchange_order_id not in ours and trade.execution.time_ms >= account.time_ms - RECENT_MS
    )
    own = [each.client_id for each in account.open_orders if is_ours(each.client_id, engine_id)]
    return AccountCompared(
        account.time_ms,
        differences,
        manual,
        _problem(state, account, engine_id),
        len(own),
        _late(books, account, engine_id),
    )


def worth_telling(state: EngineState, event: AccountCompared) -> bool:
    """Whether a comparison changes anything: what does not is not journalled."""
    books = state.books
    if books is None:
        return False
    verifies = not state.verified_flat and _flat_at_exchange(state, event)
    unsettled = books.unreconciled != event.problem or books.external is None or bool(books.pending)
    return bool(event.differences or event.late) or unsettled or verifies


def take_comparison(state: EngineState, event: AccountCompared) -> Found:
    """Book what the account holds beside the ledger; a difference counts when it was seen twice."""
    books = state.books
    if books is None:
        raise ValueError("an account was compared in a run that is not live")
    found = [each for order_id in event.late for each in _take_late(state, books, order_id)]
    found += _take_differences(state, books, event)
    if _flat_at_exchange(state, event) and not state.verified_flat:
        state.verified_flat = True
        found.append(
            Noticed(Level.ALARM, "kill_switch", "verified flat: the exchange holds nothing of ours any more")
        )
    return found


def _take_late(state: EngineState, books: Books, order_id: str) -> Found:
    """An order that was held for ended is open after all: it is cancelled, and its outcome read."""
    order = books.ended.get(order_id)
    live = state.symbols[order.symbol].live if order is not None else None
    return stray(books, live, order) if order is not None and live is not None else []


def _take_differences(state: EngineState, books: Books, event: AccountCompared) -> Found:
    if event.problem:
        changed = books.unreconciled != event.problem
        books.unreconciled, books.pending = event.problem, {}
        return [Noticed(Level.ALARM, "unreconciled", event.problem)] if changed else []
    if books.external is None:
        return _begin(state, books, event)
    if event.differences and event.differences != books.pending:
        books.pending = dict(event.differences)
        books.unreconciled = "the account differs from the ledger; it is looked at once more"
        return []
    found: Found = []
    for currency, difference in event.differences.items():
        found += _book_external(state, books, currency, difference, event)
    books.pending, books.unreconciled = {}, ""
    return found


def _flat_at_exchange(state: EngineState, event: AccountCompared) -> bool:
    """Whether the switch is thrown, and the venue, asked, holds nothing of ours (rulebook 6)."""
    return bool(state.killed) and state.flat() and not event.open_orders and not event.differences


def _begin(state: EngineState, books: Books, event: AccountCompared) -> Found:
    """The first look: all that the ledger does not take is external and stays untouched."""
    short = {currency: -each for currency, each in event.differences.items() if each < 0}
    if short:
        missing = ", ".join(f"{each:f} {currency}" for currency, each in short.items())
        text = f"the account holds less than the ledger: {missing} are missing"
        changed, books.unreconciled = books.unreconciled != text, text
        return [Noticed(Level.ALARM, "unreconciled", text)] if changed else []
    books.external = dict(event.differences)
    books.unreconciled, books.pending = "", {}
    return [Noticed(Level.INFO, "reconciled", "the account holds what the ledger says; the rest is external")]


def _book_external(
    state: EngineState, books: Books, currency: str, difference: Decimal, event: AccountCompared
) -> Found:
    external = books.external if books.external is not None else {}
    after = external.get(currency, Decimal(0)) + difference
    external[currency] = max(after, Decimal(0))
    hand = "; ".join(event.manual)
    source = f" ({hand})" if hand else " (a deposit, a withdrawal, or an order by hand)"
    found: Found = [
        Noticed(Level.WARNING, "external", f"the account changed by {difference:+f} {currency}{source}")
    ]
    if after >= 0:
        return found
    if currency == state.rules.quote:
        return [*found, _take_cash(state, -after)]
    return [*found, *_take_base(state, currency, -after, bool(event.manual))]


def _take_cash(state: EngineState, missing: Decimal) -> Noticed:
    """The owner took of the ledger's cash."""
    units = -int((-missing).scaleb(state.rules.quote_decimals).to_integral_value(rounding="ROUND_FLOOR"))
    state.cash -= units
    move_bases(state, -units)
    text = f"{missing:f} {state.rules.quote} of the ledger's cash were taken out of the account"
    return Noticed(Level.ALARM, "withdrawn", text)


def _take_base(state: EngineState, currency: str, missing: Decimal, explained: bool) -> Found:
    """The owner sold or took out what the engine held: it is not held any more."""
    found: Found = []
    for market in state.rules.markets:
        if base_of(market.symbol) != currency or missing <= 0:
            continue
        symbol = state.symbols[market.symbol]
        lots = min(held_at_all(symbol), int((missing / market.lot).to_integral_value(ROUND_CEILING)))
        if not lots:
            continue
        missing -= market.amount(lots)
        found += _shrink(state, symbol, market, lots)
        text = f"{market.symbol}: {market.amount(lots):f} of what the engine held were sold or taken by hand"
        found.append(Noticed(Level.ALARM, "withdrawn", text))
        if not explained and symbol.live is not None:
            symbol.live.blocked = f"{text}; `resume` lets it buy again"
    return found


def _shrink(state: EngineState, symbol: SymbolState, market: MarketUnits, lots: int) -> Found:
    live, position = symbol.live, symbol.position
    move_bases(state, -market.notional(mark_price(symbol), lots))
    from_dust = min(lots, live.dust.amount) if live is not None and live.dust is not None else 0
    if live is not None and from_dust:
        live.dust = without(live.dust, from_dust)
    left = lots - from_dust
    if position is None or not left:
        return []
    had = position.amount + position.sold
    position.entry_notional -= position.entry_notional * left // had
    position.entry_fee -= position.entry_fee * left // had
    position.amount -= left
    if position.amount:
        return []
    symbol.position = None
    return [TradeClosed(closed(position, market))] if position.sold else []


def move_bases(state: EngineState, units: int) -> None:
    """Deposits and withdrawals move reference, peak and day base by their amount (rulebook 6)."""
    state.reference += units
    state.peak += units
    state.day_base += units
    state.equity += units


def _differences(state: EngineState, books: Books, account: Account) -> dict[str, Decimal]:
    """Account less ledger less external, for each currency where that is not nothing."""
    ledger, external = ledger_holdings(state), books.external or {}
    currencies = {state.rules.quote, *ledger, *external}
    found = {}
    for currency in sorted(currencies):
        held = account.holdings.get(currency, Decimal(0))
        difference = held - ledger.get(currency, Decimal(0)) - external.get(currency, Decimal(0))
        if abs(difference) >= LEAST:
            found[currency] = difference
    return found


def _booked(books: Books, trade: OwnTrade) -> bool:
    return f"{trade.symbol}:{trade.execution.id}" in books.booked


def _late(books: Books, account: Account, engine_id: str) -> tuple[str, ...]:
    """The orders that are open at the exchange, and that were given up because it did not know them."""
    opened = {each.client_id for each in account.open_orders}
    given_up = [each for each in books.ended.values() if each.state is OrderState.REFUSED]
    return tuple(each.id for each in given_up if client_id(engine_id, each.id) in opened)


def _problem(state: EngineState, account: Account, engine_id: str) -> str:
    known = {order.exchange_id for symbol in state.symbols.values() for order in _alive(symbol)}
    for each in account.open_orders:
        if is_foreign(each.client_id, engine_id):
            return f"another engine has order {each.client_id} open on this account: only one may trade"
        if is_ours(each.client_id, engine_id) and each.exchange_id not in known:
            return (
                f"{each.symbol}: order {each.client_id} of this engine is open, and its books do not know it"
            )
    return ""


def _alive(symbol: SymbolState) -> Iterable[Order]:
    live = symbol.live
    rest = live.orders() if live is not None else []
    return [order for order in (symbol.entry, symbol.exit, *rest) if order is not None]


def _orders(state: EngineState, books: Books) -> list[Order]:
    alive = [order for symbol in state.symbols.values() for order in _alive(symbol)]
    return [*alive, *books.ended.values()]


def base_of(symbol: str) -> str:
    """BTC of BTC/USDT."""
    return symbol.removesuffix(f"/{quote_of(symbol)}")
