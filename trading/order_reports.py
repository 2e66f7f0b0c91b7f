"""What an exchange says of our orders enters the ledger: each fill once, by its id (rulebook 7)."""

from copy import copy
from decimal import Decimal

from msgspec.structs import replace

from trading.decisions import (
    AnyDecision,
    CancelIntended,
    FillBooked,
    Level,
    Noticed,
    OrderChanged,
    OrderEnded,
    PositionOpened,
    TradeClosed,
)
from trading.desk import pause_ms
from trading.events import OrderReported
from trading.exits import exit_position, start_cooldown
from trading.ledger import add_bought, cash_after, closed, opened, take_sold
from trading.live_state import Books, LiveSymbol
from trading.market import MarketUnits
from trading.orders import FINAL, Ending, Fill, Order, OrderKind, OrderState, Reason
from trading.signals import Side
from trading.state import EngineState, SymbolState
from trading.symbols import quote_of

Found = list[AnyDecision]

# An entry that is cancelled for one of these is sold as soon as anything of it was bought.
LEAVING = (Reason.KILL_SWITCH, Reason.CLOSE_ALL)
# A stop that the exchange drops is placed again at once, but not more often than this.
AT_LEAST_MS = 1_000


def find_order(state: EngineState, symbol: SymbolState, order_id: str) -> Order | None:
    """The order of this id: on its way, or among the newest that are final."""
    live, books = symbol.live, state.books
    if live is None or books is None:
        return None
    for order in (symbol.entry, symbol.exit, live.stop):
        if order is not None and order.id == order_id:
            return order
    return live.strays.get(order_id) or books.ended.get(order_id)


def says_something_new(state: EngineState, event: OrderReported) -> bool:
    """Whether a report changes anything: what does not is not journalled."""
    order = find_order(state, state.symbols[event.symbol], event.order_id)
    if order is None or state.books is None:
        return True
    known = (order.state, order.filled, order.exchange_id)
    told = (event.state, max(order.filled, event.filled), event.exchange_id or order.exchange_id)
    return known != told or any(fill.id not in state.books.booked for fill in event.fills)


def take_report(state: EngineState, event: OrderReported, market: MarketUnits) -> Found:
    """Book what is new in a report, and let the order go when it is final.

    Raises ValueError for a sale of what is not held.
    """
    symbol, books = state.symbols[event.symbol], state.books
    live = symbol.live
    if live is None or books is None:
        raise ValueError("an exchange reports to a run that is not live")
    order = find_order(state, symbol, event.order_id)
    if order is None:
        text = f"the exchange reports order {event.order_id}, which the books do not know"
        live.blocked = text
        return [Noticed(Level.ALARM, "unknown_order", text)]
    report = _Report(state, symbol, live, books, market, event)
    report.take(order)
    return report.found


def stray(books: Books, live: LiveSymbol, order: Order) -> Found:
    """An order that was held for ended is there after all: it is cancelled."""
    why = "it was held for ended"
    books.ended.pop(order.id, None)
    state = OrderState.UNKNOWN if order.state in FINAL else order.state
    live.strays[order.id] = replace(order, cancelling=why, state=state)
    notice = Noticed(Level.ALARM, "late_order", f"order {order.id} reached the exchange late")
    return [notice, OrderChanged(live.strays[order.id]), CancelIntended(order.id, order.symbol, why)]


class _Report:
    """One report as it is booked."""

    def __init__(
        self,
        state: EngineState,
        symbol: SymbolState,
        live: LiveSymbol,
        books: Books,
        market: MarketUnits,
        event: OrderReported,
    ) -> None:
        self.state = state
        self.symbol = symbol
        self.live = live
        self.books = books
        self.market = market
        self.event = event
        self.found: Found = []

    def take(self, order: Order) -> None:
        event = self.event
        for fill in event.fills:
            if self.books.book(fill.id, event.time_ms, len(event.fills)):
                self._book(order, fill)
        changed = replace(
            order,
            state=event.state,
            filled=max(order.filled, event.filled),
            exchange_id=event.exchange_id or order.exchange_id,
        )
        was_ended = order.id in self.books.ended
        if event.state in FINAL:
            if not was_ended or changed != order:
                self._retire(changed, was_ended)
        elif was_ended:
            self.found += stray(self.books, self.live, changed)
        else:
            self._keep(changed)
            self.found.append(OrderChanged(changed))

    # Fills.

    def _book(self, order: Order, told: Fill) -> None:
        state, fill = self.state, self._of_the_ledger(told)
        if fill is None:
            return
        state.cash = cash_after(state.cash, fill, self.market)
        self._repay_other_fees(fill)
        self.found.append(FillBooked(fill))
        if fill.side is Side.BUY:
            self._bought(order, fill)
        else:
            self._sold(fill)

    def _of_the_ledger(self, fill: Fill) -> Fill | None:
        """What of a sale was the ledger's: the rest, which the owner took before, is his (the comparison of
        the account finds it), and so is a fee in base that is not left of the position."""
        position = self.symbol.position
        if fill.side is Side.BUY:
            return fill
        held = position.amount if position is not None else 0
        if fill.amount <= held:
            return fill if fill.amount + fill.fee_base <= held else replace(fill, fee_base=0)
        rest = self.market.amount(fill.amount - held)
        text = f"{fill.symbol}: {rest:f} were sold that the ledger does not hold any more: they are external"
        self.found.append(Noticed(Level.ALARM, "external", text))
        return replace(fill, amount=held, fee=fill.fee * held // fill.amount, fee_base=0) if held else None

    def _repay_other_fees(self, fill: Fill) -> None:
        """A fee that did not come out of this trade is paid from what is external: the ledger pays it back in
        quote. What it was paid in is watched only when it was before."""
        external, quote = self.books.external, quote_of(fill.symbol)
        if external is None or not fill.fee_paid or fill.fee_base or fill.fee_currency in ("", quote):
            return
        worth = Decimal(fill.fee).scaleb(-self.state.rules.quote_decimals)
        external[quote] = external.get(quote, Decimal(0)) + worth
        if fill.fee_currency in external:
            left = external[fill.fee_currency] - Decimal(fill.fee_paid)
            external[fill.fee_currency] = max(left, Decimal(0))

    def _bought(self, order: Order, fill: Fill) -> None:
        symbol, live, limits = self.symbol, self.live, self.state.rules.limits
        self.state.verified_flat = False
        if symbol.position is None:
            symbol.position = opened(fill, self.market, limits, order.votes, live.dust)
            live.dust = None
            live.stop_failures = live.stop_again_ms = live.exit_failures = live.exit_again_ms = 0
            self.found.append(PositionOpened(copy(symbol.position)))
        else:
            add_bought(symbol.position, fill, self.market, limits)

    def _sold(self, fill: Fill) -> None:
        symbol = self.symbol
        if symbol.position is None:
            raise ValueError(f"fill {fill.id} sells {fill.symbol}, which is not held")
        take_sold(symbol.position, fill, self.market)
        if fill.reason is Reason.STOP:
            start_cooldown(self.state, symbol, fill.time_ms)
        if symbol.position.amount == 0:
            self.found.append(TradeClosed(closed(symbol.position, self.market)))
            symbol.position = None

    # Orders.

    def _keep(self, order: Order) -> None:
        """Put the order as it stands now in the place where it is held."""
        symbol, live = self.symbol, self.live
        if symbol.entry is not None and symbol.entry.id == order.id:
            symbol.entry = order
        elif symbol.exit is not None and symbol.exit.id == order.id:
            symbol.exit = order
        elif live.stop is not None and live.stop.id == order.id:
            live.stop = order
        else:
            live.strays[order.id] = order

    def _retire(self, order: Order, was_ended: bool) -> None:
        """The order is final."""
        symbol, live = self.symbol, self.live
        self.books.end(order)
        self.found.append(OrderChanged(order))
        if order.state is not OrderState.FILLED:
            why = self.event.why or order.cancelling or order.state.value
            self.found.append(OrderEnded(Ending(order.id, order.symbol, order.state, why)))
        if was_ended:
            return
        if live.strays.pop(order.id, None) is not None:
            return
        if symbol.entry is not None and symbol.entry.id == order.id:
            symbol.entry = None
            if order.cancelling in LEAVING and symbol.position is not None:
                self.found += exit_position(self.state, symbol, Reason(order.cancelling))[1]
        elif order.kind is OrderKind.STOP:
            self._stop_ended(order)
        else:
            self._exit_ended(order)

    def _stop_ended(self, order: Order) -> None:
        live = self.live
        live.stop = None
        if self.symbol.position is None or order.cancelling:
            return
        if order.state is OrderState.REFUSED:
            live.stop_failures += 1
            live.stop_again_ms = self.event.time_ms + pause_ms(live.stop_failures)
            text = f"{order.symbol}: the stop was refused ({self.event.why}); it is tried again"
            self.found.append(Noticed(Level.WARNING, "stop_refused", text))
        elif order.state in (OrderState.CANCELLED, OrderState.EXPIRED):
            live.stop_again_ms = order.decided_ms + AT_LEAST_MS
            text = f"{order.symbol}: the stop was cancelled at the exchange; it is placed again"
            self.found.append(Noticed(Level.WARNING, "stop_gone", text))

    def _exit_ended(self, order: Order) -> None:
        """What an exit left is sold by the next one, a little later each time it fails."""
        symbol, live = self.symbol, self.live
        symbol.exit = None
        if symbol.position is None:
            live.exit_failures = live.exit_again_ms = 0
            return
        live.exit_failures += 1
        live.exit_again_ms = self.event.time_ms + pause_ms(live.exit_failures)
        self.found += exit_position(self.state, symbol, order.reason, order.votes)[1]
        if order.state is not OrderState.FILLED:
            why = self.event.why or order.state
            text = f"{order.symbol}: the exit was not filled ({why}); it is tried again"
            self.found.append(Noticed(Level.WARNING, "exit_again", text))
