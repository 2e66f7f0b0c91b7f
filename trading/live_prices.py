"""Live prices: which of them are believed, and what they are worth to what is held (rulebook 6)."""

from trading.events import Price
from trading.live_state import LiveSymbol
from trading.rules import WHOLE
from trading.state import EngineState, SymbolState

# A second observation confirms a jump when it comes at least this much later.
CONFIRM_MS = 1_000


def observe(symbol: SymbolState, price: int, time_ms: int, max_jump_percent: int) -> None:
    """Take in a price: a jump is believed when a second observation, at least 1 s later, agrees.

    `max_jump_percent` counts millionths of a percent; 0 believes everything.
    """
    live = symbol.live
    if live is None or time_ms < live.price_ms:
        return
    known = live.price or symbol.last_close
    if not known or _near(known, price, max_jump_percent):
        _believe(live, price, time_ms)
    elif not _near(live.suspect, price, max_jump_percent):
        live.suspect, live.suspect_ms = price, time_ms
    elif time_ms - live.suspect_ms >= CONFIRM_MS:
        _believe(live, price, time_ms)


def observe_all(state: EngineState, prices: tuple[Price, ...], time_ms: int) -> None:
    """Take in the best bids: what is held could be sold at. One that is told again confirms nothing."""
    live = state.rules.live
    if live is None:
        return
    for price in prices:
        seen_ms = price.time_ms or time_ms
        observe(state.symbols[price.symbol], price.bid, seen_ms, live.max_price_jump_percent)


def mark_price(symbol: SymbolState) -> int:
    """What a symbol is marked at: live the newest confirmed price, else its last close."""
    live = symbol.live
    return live.price if live is not None and live.price else symbol.last_close


def _believe(live: LiveSymbol, price: int, time_ms: int) -> None:
    live.price, live.price_ms = price, time_ms
    live.suspect = live.suspect_ms = 0


def _near(known: int, price: int, max_jump_percent: int) -> bool:
    """Whether a price is within the allowed jump of a known one; 0 is not known."""
    if not max_jump_percent:
        return True
    return known > 0 and abs(price - known) * WHOLE <= max_jump_percent * known
