"""What must hold between an engine's journal and the exchange's own truth, in a quiet moment."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from tests.support.exchange import Request, Truth
from tests.support.exchange.model import Order as RealOrder
from trading.client_ids import client_id, is_ours
from trading.decisions import FillBooked, OrderIntended
from trading.engine import Engine
from trading.events import AccountCompared, EngineResumed, RunStarted
from trading.exchange_units import live_orders, placement_of
from trading.journal import Entry
from trading.market import MarketUnits
from trading.orders import Fill, Order
from trading.reconciliation import ledger_holdings
from trading.signals import Side
from trading.state import EngineState

OPEN = ("NEW", "PARTIALLY_FILLED")
LEAST = Decimal("0.00000001")


class Books(Struct):
    """What a journal holds: the state after it, what was intended, what was booked, and what broke a rule."""

    state: EngineState
    intents: list[Order]
    fills: list[Fill]
    wrong: list[str]


def read_books(entries: Sequence[Entry]) -> Books:
    """Go through a journal, deciding everything again."""
    started = entries[0].event
    assert isinstance(started, RunStarted)
    engine = Engine.start(started)
    books = Books(engine.state, [], [], [])
    for entry in entries[1:]:
        before = _unsure(engine.state)
        if tuple(engine.handle(entry.event)) != entry.decisions:
            books.wrong.append(f"entry {entry.sequence} decides otherwise when it is replayed")
        for decision in entry.decisions:
            if isinstance(decision, FillBooked):
                books.fills.append(decision.fill)
            if isinstance(decision, OrderIntended):
                books.intents.append(decision.order)
                if decision.order.side is Side.BUY and decision.order.symbol in before:
                    why = before[decision.order.symbol]
                    books.wrong.append(f"I4: {decision.order.id} was bought although {why}")
    return books


def violations(entries: Sequence[Entry], truth: Truth, engine_id: str) -> list[str]:
    """Everything that is not as it must be; empty when all is right."""
    books = read_books(entries)
    ours = [order for order in truth.orders if is_ours(order.client_id, engine_id)]
    return [
        *truth.problems,
        *books.wrong,
        *_sent_once(books, truth, ours, engine_id),
        *_booked(books, truth, engine_id),
        *_balances(books.state, truth),
        *_open_orders(books.state, ours, engine_id),
        *_protected(books.state, ours),
    ]


def bare_ms(entries: Sequence[Entry], truth: Truth, engine_id: str) -> int:
    """I3: the longest time to the stop that protects an entry, or to its sale: from the entry's fill, or from
    when the books were reconciled after a later start."""
    resumed = [each.event.time_ms for each in entries if isinstance(each.event, EngineResumed)]
    compared = [each.event.time_ms for each in entries if isinstance(each.event, AccountCompared)]
    sells = [
        each.time_ms for each in truth.orders if each.side == "SELL" and is_ours(each.client_id, engine_id)
    ]
    longest = 0
    for fill in truth.fills:
        if fill.side != "BUY" or not is_ours(fill.client_id, engine_id):
            continue
        until_ms = min((each for each in sells if each >= fill.time_ms), default=truth.now_ms)
        since_ms = fill.time_ms
        for start_ms in (each for each in resumed if fill.time_ms < each < until_ms):
            since_ms = min((each for each in compared if each >= start_ms), default=until_ms)
        longest = max(longest, until_ms - since_ms)
    return longest


def _unsure(state: EngineState) -> dict[str, str]:
    """The symbols that may not be bought, and why."""
    found = {}
    for symbol in state.symbols.values():
        why = state.books.unreconciled if state.books else "there are no books"
        if symbol.live is not None:
            why = why or symbol.live.blocked or ("orders are on their way" if symbol.live.orders() else "")
        if why:
            found[symbol.symbol] = why
    return found


def _sent_once(books: Books, truth: Truth, ours: list[RealOrder], engine_id: str) -> Iterator[str]:
    """I1: one order for an intent at most, and as it was intended."""
    markets = {market.symbol: market for market in books.state.rules.markets}
    wanted = {client_id(engine_id, each.id): each for each in books.intents}
    if len(wanted) != len(books.intents):
        yield "I1: two intents have the same id"
    # What was refused for its time alone (-1021, HTTP 400) may leave again.
    sent = Counter(each.params["newClientOrderId"] for each in truth.requests if _may_be_done(each))
    for name, times in sent.items():
        if times > 1:
            yield f"I1: {name} was sent {times} times"
    for name in truth.duplicates:
        yield f"I1: {name} is there more than once"
    for real in ours:
        intent = wanted.get(real.client_id)
        if intent is None:
            yield f"I1: {real.client_id} is at the exchange, and nobody intended it"
            continue
        amount = placement_of(intent, markets[intent.symbol], engine_id).amount
        if (intent.symbol, intent.side.value, amount) != (real.symbol, real.side, real.amount):
            yield f"I1: {intent.id} is another order at the exchange: {real}"


def _may_be_done(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/order") and request.status != 400


def _booked(books: Books, truth: Truth, engine_id: str) -> Iterator[str]:
    """I1 and I2: every fill of ours is booked, once, and as it was."""
    markets = {market.symbol: market for market in books.state.rules.markets}
    names = {each.id: client_id(engine_id, each.id) for each in books.intents}
    booked = Counter(
        (
            fill.id.rpartition(":")[2],
            names.get(fill.order_id, fill.order_id),
            markets[fill.symbol].amount(fill.amount),
            markets[fill.symbol].price(fill.price),
        )
        for fill in books.fills
    )
    real = Counter(
        (str(fill.id), fill.client_id, fill.amount, fill.price)
        for fill in truth.fills
        if is_ours(fill.client_id, engine_id)
    )
    for each in real - booked:
        yield f"I2: fill {each[0]} of {each[1]} ({each[2]} at {each[3]}) is not booked"
    for each in booked - real:
        yield f"I2: fill {each[0]} of {each[1]} ({each[2]} at {each[3]}) was booked without being there"


def _balances(state: EngineState, truth: Truth) -> Iterator[str]:
    """I2: ledger and external are what the account holds."""
    if state.books is None or state.books.external is None or state.books.unreconciled:
        yield f"I2: the books are not reconciled: {state.books and state.books.unreconciled}"
        return
    ledger, external = ledger_holdings(state), state.books.external
    for currency in sorted({*ledger, *external, *truth.balances}):
        if currency not in ledger and currency not in external:
            continue  # Nothing of ours was ever in it.
        real = truth.balances.get(currency)
        held = real.free + real.locked if real else Decimal(0)
        known = ledger.get(currency, Decimal(0)) + external.get(currency, Decimal(0))
        if abs(held - known) > LEAST:
            yield f"I2: the account holds {held} {currency}, the books say {known}"


def _open_orders(state: EngineState, ours: list[RealOrder], engine_id: str) -> Iterator[str]:
    """I2: what is open there is what is open here."""
    real = {each.client_id for each in ours if each.status in OPEN}
    known = {client_id(engine_id, order.id) for order in live_orders(state)}
    for name in real - known:
        yield f"I2: {name} is open at the exchange, and the books do not know it"
    for name in known - real:
        yield f"I2: {name} is open in the books, and not at the exchange"


def _protected(state: EngineState, ours: list[RealOrder]) -> Iterator[str]:
    """I3: a stop for exactly what is held, rounded down; flat leaves none."""
    markets: dict[str, MarketUnits] = {market.symbol: market for market in state.rules.markets}
    for symbol in state.symbols.values():
        market, held = markets[symbol.symbol], symbol.position
        stops = [each for each in ours if each.symbol == symbol.symbol and each.status in OPEN]
        stopped = [each.left for each in stops if each.side == "SELL" and each.stop]
        wanted = [market.amount(market.stepped(held.amount))] if held else []
        if stopped != wanted:
            yield f"I3: {symbol.symbol} holds {wanted}, its stops are for {stopped}"
