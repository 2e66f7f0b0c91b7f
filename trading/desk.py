"""One symbol at an exchange: what must be sent or cancelled next (rulebook 7).

`settle` looks at what is held and at the orders that are on their way, and says the next step. It is asked
after every event, says nothing when all is as it should be, and may be asked as often as one likes.
"""

from msgspec.structs import replace

from trading.decisions import (
    AnyDecision,
    CancelIntended,
    Level,
    Noticed,
    OrderEnded,
    OrderIntended,
    TradeClosed,
)
from trading.exits import exit_position
from trading.ledger import Dust, Position, closed, dust_of
from trading.live_prices import mark_price
from trading.live_state import LiveSymbol
from trading.market import MarketUnits
from trading.orders import Ending, Order, OrderKind, OrderState, Reason, order_id
from trading.rules import WHOLE
from trading.signals import Side
from trading.state import EngineState, SymbolState

# A position may be without a working stop for 5 s; selling takes a moment too.
EMERGENCY_MS = 4_500
# How long the price may be under a stop at the exchange before we sell ourselves.
STUCK_MS = 3_000
# A stop is tried so often before the position is sold for want of one.
STOP_TRIES = 3
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 500, 5_000

Found = list[AnyDecision]


def settle(state: EngineState, symbol: SymbolState, market: MarketUnits) -> Found:
    """The next steps of one symbol at the exchange; empty when there is nothing to do."""
    live = symbol.live
    if live is None or state.books is None:
        return []
    desk = _Desk(state, symbol, live, market, state.books.now_ms)
    return desk.settle()


def due_ms(symbol: SymbolState) -> int:
    """When `settle` must be asked again although nothing happens; 0 for never."""
    live = symbol.live
    if live is None or symbol.position is None:
        return 0
    if symbol.exit is not None:
        waits = symbol.entry or live.stop or live.strays
        return live.exit_again_ms if symbol.exit.held_back and not waits else 0
    times = []
    if live.under_since_ms:
        times.append(live.under_since_ms + STUCK_MS)
    if live.stop is None:
        times.append(live.stop_again_ms)
        if live.bare_since_ms and live.stop_failures >= STOP_TRIES:
            times.append(live.bare_since_ms + EMERGENCY_MS)
    return min((each for each in times if each), default=0)


def pause_ms(failures: int) -> int:
    """How long to wait after so many failures in a row: not at all, then 0.5 s, doubling up to 5 s."""
    return min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(failures - 2, 8)) if failures > 1 else 0


def working(order: Order | None) -> bool:
    """Whether the exchange is known to have this order open."""
    return order is not None and order.state in (OrderState.OPEN, OrderState.PARTLY_FILLED)


class _Desk:
    """One look at one symbol."""

    def __init__(
        self, state: EngineState, symbol: SymbolState, live: LiveSymbol, market: MarketUnits, now_ms: int
    ) -> None:
        self.state = state
        self.symbol = symbol
        self.live = live
        self.market = market
        self.now_ms = now_ms
        self.found: Found = []

    def settle(self) -> Found:
        position = self.symbol.position
        if position is None:
            self._nothing_held()
            return self.found
        if self.symbol.exit is None:
            self._look_for_exits(position)
        if self.symbol.exit is not None:
            self._sell(position, self.symbol.exit)
        else:
            self._protect(position)
        return self.found

    def _nothing_held(self) -> None:
        """Flat leaves no stop, and no sale that waits."""
        live, symbol = self.live, self.symbol
        live.bare_since_ms = live.under_since_ms = 0
        self._cancel_stop("nothing is held")
        if symbol.exit is not None and symbol.exit.held_back:
            ending = Ending(symbol.exit.id, symbol.symbol, OrderState.CANCELLED, "nothing is left to sell")
            symbol.exit = None
            self.found.append(OrderEnded(ending))

    # Leaving.

    def _look_for_exits(self, position: Position) -> None:
        """Want an exit when the kill switch is thrown, a price is reached, or no stop can be placed."""
        live, state = self.live, self.state
        entry = self.symbol.entry
        if state.killed:
            self._want(Reason.KILL_SWITCH)
        elif entry is not None and entry.cancelling == Reason.CLOSE_ALL:
            self._want(Reason.CLOSE_ALL)
        elif live.price and 0 < position.target <= live.price:
            self._want(Reason.TAKE_PROFIT)
        elif live.price and live.price <= position.stop:
            self._under_the_stop(live)
        else:
            live.under_since_ms = 0
            self._look_after_the_bare(live)

    def _under_the_stop(self, live: LiveSymbol) -> None:
        """The exchange's stop has 3 s to fill; ours acts at once when there is none."""
        live.under_since_ms = live.under_since_ms or self.now_ms
        on_its_way = live.stop is not None and not live.stop.cancelling
        if not on_its_way or self.now_ms - live.under_since_ms >= STUCK_MS:
            self._want(Reason.STOP)

    def _look_after_the_bare(self, live: LiveSymbol) -> None:
        """Sell when the stop was refused for so long that the position would stand unprotected."""
        refused = live.stop is None and live.stop_failures >= STOP_TRIES
        if refused and live.bare_since_ms and self.now_ms - live.bare_since_ms >= EMERGENCY_MS:
            self.found.append(
                Noticed(
                    Level.ALARM, "unprotected", f"{self.symbol.symbol}: no stop can be placed: sold at market"
                )
            )
            self._want(Reason.STOP)

    def _want(self, reason: Reason) -> None:
        self.found += exit_position(self.state, self.symbol, reason)[1]

    def _sell(self, position: Position, order: Order) -> None:
        """First what else could sell or buy is cancelled and its outcome read; then the rest is sold."""
        if not order.held_back:
            return
        self._cancel_stop("an exit comes")
        self._cancel_entry("an exit comes")
        if self.symbol.entry is not None or self.live.stop is not None or self.live.strays:
            return
        amount = self.market.sellable(position.amount, self._worth_at(position))
        if not amount:
            self._book_dust(position, order)
        elif self.now_ms >= self.live.exit_again_ms:
            self.symbol.exit = replace(order, amount=amount, held_back=False)
            self.found.append(OrderIntended(self.symbol.exit))

    def _book_dust(self, position: Position, order: Order | None) -> None:
        """What is too little to sell stays in the ledger as dust; the position is history."""
        symbol, live = self.symbol, self.live
        if position.sold:
            self.found.append(TradeClosed(closed(position, self.market)))
        rest = dust_of(position)
        if rest.amount:
            live.dust = rest
            amount = self.market.amount(rest.amount)
            text = f"{symbol.symbol}: {amount:f} is too little to sell and stays as dust"
            self.found.append(Noticed(Level.INFO, "dust", text))
        symbol.position = None
        if order is not None:
            symbol.exit = None
            ending = Ending(order.id, symbol.symbol, OrderState.CANCELLED, "too little is left to sell")
            self.found.append(OrderEnded(ending))
        self._nothing_held()

    # Staying: the stop stands at the exchange for exactly what is held.

    def _protect(self, position: Position) -> None:
        live = self.live
        trigger = position.stop - position.stop % self.market.price_step
        limit = self._limit_under(trigger)
        if self._is_leftover(position):
            self._book_dust(position, None)
            return
        amount = self.market.sellable(position.amount, limit) if trigger > 0 else 0
        standing = live.stop
        if working(standing) or not amount:
            live.bare_since_ms = live.stop_again_ms = live.stop_failures = 0
        elif not live.bare_since_ms:
            live.bare_since_ms = self.now_ms
        if standing is not None:
            left = standing.amount - standing.filled
            if standing.state is not OrderState.UNKNOWN and (left != amount or standing.trigger != trigger):
                self._cancel_stop("what is held, or its stop, has changed")
            return
        if not amount or self.now_ms < live.stop_again_ms:
            return
        live.stop = Order(
            id=order_id(self.state.open_time_ms, self.symbol.symbol, "stop", live.next_number()),
            symbol=self.symbol.symbol,
            side=Side.SELL,
            amount=amount,
            reason=Reason.STOP,
            decided_ms=self.now_ms,
            kind=OrderKind.STOP,
            trigger=trigger,
            limit=limit,
        )
        self.found.append(OrderIntended(live.stop))

    def _is_leftover(self, position: Position) -> bool:
        """Whether what is held is what a finished sale left, and too little to sell."""
        if self.symbol.entry is not None or self.live.stop is not None or self.live.strays:
            return False
        if position.amount < self.market.amount_step:
            return True
        return bool(position.sold) and not self.market.sellable(position.amount, self._worth_at(position))

    def _worth_at(self, position: Position) -> int:
        """The price at which what is held is worth selling or not: a crash makes no dust, and whether so
        little is taken is the exchange's to say."""
        return max(mark_price(self.symbol), position.entry_price)

    def _limit_under(self, trigger: int) -> int:
        live = self.state.rules.live
        percent = live.stop_limit_offset_percent if live else 0
        limit = trigger * (WHOLE - percent) // WHOLE
        return limit - limit % self.market.price_step

    # Cancelling.

    def _cancel_stop(self, why: str) -> None:
        stop = self.live.stop
        if stop is not None and not stop.cancelling:
            self.live.stop = replace(stop, cancelling=why)
            self.found.append(CancelIntended(stop.id, stop.symbol, why))

    def _cancel_entry(self, why: str) -> None:
        entry = self.symbol.entry
        if entry is not None and not entry.cancelling:
            self.symbol.entry = replace(entry, cancelling=why)
            self.found.append(CancelIntended(entry.id, entry.symbol, why))


def held_at_all(symbol: SymbolState) -> int:
    """What the ledger holds of a symbol's base, dust included, in lots."""
    dust = symbol.live.dust if symbol.live else None
    return (symbol.position.amount if symbol.position else 0) + (dust.amount if dust else 0)


def without(dust: Dust | None, lots: int) -> Dust | None:
    """Dust less so many lots, with its part of what was paid."""
    if dust is None or lots >= dust.amount:
        return None
    left = dust.amount - lots
    return Dust(left, dust.entry_notional * left // dust.amount, dust.entry_fee * left // dust.amount)
