"""Entries: how much to buy, and whether (rulebook 4). The verdict is typed: only Approved is sent."""

from collections.abc import Mapping, Set

from trading.costs import affordable_lots, bought_at, fee
from trading.decisions import Approved, Refusal, Refused, Verdict
from trading.market import MarketUnits
from trading.orders import Order, Reason, order_id
from trading.protection import stop_under
from trading.rules import WHOLE
from trading.signals import Side
from trading.state import EngineState, SymbolState
from trading.timeframe import iso
from trading.vote import Vote

MINUTE_MS = 60_000


def judge_entry(
    state: EngineState,
    symbol: SymbolState,
    markets: Mapping[str, MarketUnits],
    votes: tuple[Vote, ...],
    fresh: Set[str] = frozenset(),
) -> Verdict:
    """Size a BUY decided at the close of the newest candle and test it against every limit.

    Live, `fresh` are the symbols whose prices are known to be new.
    """
    rules = state.rules
    market = markets[symbol.symbol]
    price = bought_at(symbol.last_close, rules.costs.slippage_percent, market.price_step)
    lots = sized(state, market, price)
    decided_ms = state.open_time_ms + rules.timeframe_ms
    refused = (
        _blocked(state)
        or _stale(state, symbol)
        or _stale_live(state, symbol, fresh)
        or _unreconciled(state, symbol)
        or _in_cooldown(state, symbol)
        or _over_limit(state, symbol, market, markets, lots)
        or _rate_reached(state, decided_ms)
        or _too_small(state, market, price, lots)
    )
    if refused is not None:
        return refused
    notional = market.notional(price, lots)
    return Approved(
        Order(
            id=order_id(state.open_time_ms, symbol.symbol, "entry"),
            symbol=symbol.symbol,
            side=Side.BUY,
            amount=lots,
            reason=Reason.SIGNAL,
            decided_ms=decided_ms,
            sizing_price=price,
            reserved=notional + fee(notional, rules.costs.fee_percent, market.fee_step),
            votes=votes,
        )
    )


def sized(state: EngineState, market: MarketUnits, price: int) -> int:
    """The lots of an entry at its sizing price: within its share of equity, and paid for by free cash."""
    lot_cost = market.notional(price, 1)
    share = max(0, state.equity) * state.rules.limits.position_size_percent // (WHOLE * lot_cost)
    free = state.cash - state.reserved()
    lots = min(share, affordable_lots(free, lot_cost, state.rules.costs.fee_percent, market.fee_step))
    return market.stepped(min(lots, market.most_amount) if market.most_amount else lots)


def longest_warmup(state: EngineState) -> int:
    """The longest warm-up of the enabled strategies, in candles."""
    return max((seat.warmup_candles for seat in state.rules.seats if seat.enabled), default=0)


def _blocked(state: EngineState) -> Refused | None:
    if state.paused:
        return Refused(Refusal.PAUSED, "until an operator resumes")
    if state.killed:
        return Refused(Refusal.KILLED, state.killed)
    if state.day_blocked:
        return Refused(Refusal.DAILY_LOSS, f"until {iso(state.day_end_ms)}")
    return None


def _in_cooldown(state: EngineState, symbol: SymbolState) -> Refused | None:
    if state.open_time_ms >= symbol.cooldown_until_ms:
        return None
    return Refused(Refusal.COOLDOWN, f"until the candle of {iso(symbol.cooldown_until_ms)}")


def _stale(state: EngineState, symbol: SymbolState) -> Refused | None:
    if not symbol.real:
        return Refused(Refusal.STALE, "nobody traded in this candle")
    closed, needed = symbol.holes.real_since, longest_warmup(state)
    if symbol.holes.recovering(needed):
        return Refused(Refusal.STALE, f"{closed} of {needed} candles have closed since a long hole")
    return None


def _stale_live(state: EngineState, symbol: SymbolState, fresh: Set[str]) -> Refused | None:
    """Whether candle or price are too old to buy on, by the exchange's clock."""
    live, books = state.rules.live, state.books
    if live is None or books is None:
        return None
    age_ms = books.now_ms - state.open_time_ms - state.rules.timeframe_ms
    if age_ms > live.stale_after_ms:
        return Refused(Refusal.STALE, f"the newest candle closed {age_ms / 1000:.0f} s ago")
    if symbol.symbol not in fresh:
        return Refused(Refusal.STALE, "no live price is known")
    if symbol.live is not None and symbol.live.suspect:
        return Refused(Refusal.STALE, "the price jumped and is not confirmed yet")
    return None


def _unreconciled(state: EngineState, symbol: SymbolState) -> Refused | None:
    """Whether it is not known for sure what is held and what is on its way (rulebook 7)."""
    live, books = symbol.live, state.books
    if live is None or books is None or not state.rules.on_exchange:
        return None
    if live.blocked or books.unreconciled:
        return Refused(Refusal.UNRECONCILED, live.blocked or books.unreconciled)
    if live.orders() or symbol.exit is not None:
        return Refused(Refusal.UNRECONCILED, "an order of the symbol is still on its way")
    return None


def committed(state: EngineState, markets: Mapping[str, MarketUnits]) -> tuple[int, int]:
    """How many positions and waiting entries there are, and their worth at their last closes."""
    count = worth = 0
    for each in state.symbols.values():
        held = each.position or each.entry
        if held is not None:
            count += 1
            worth += markets[each.symbol].notional(each.last_close, held.amount)
    return count, worth


def _over_limit(
    state: EngineState,
    symbol: SymbolState,
    market: MarketUnits,
    markets: Mapping[str, MarketUnits],
    lots: int,
) -> Refused | None:
    count, worth = committed(state, markets)
    most = state.rules.limits.max_open_positions
    if count >= most:
        return Refused(Refusal.MAX_OPEN_POSITIONS, f"{count} of {most} are taken")
    exposure = worth + market.notional(symbol.last_close, lots)
    if exposure * WHOLE > state.rules.limits.max_exposure_percent * state.equity:
        return Refused(Refusal.MAX_EXPOSURE, f"it would be {_percent(exposure, state.equity)} % of equity")
    return None


def _rate_reached(state: EngineState, now_ms: int) -> Refused | None:
    state.entries_ms = [sent for sent in state.entries_ms if sent > now_ms - MINUTE_MS]
    sent, most = len(state.entries_ms), state.rules.limits.max_orders_per_minute
    if sent < most:
        return None
    return Refused(Refusal.MAX_ORDERS_PER_MINUTE, f"{sent} were sent in the last 60 s")


def _too_small(state: EngineState, market: MarketUnits, price: int, lots: int) -> Refused | None:
    """Whether the notional is under a minimum at the sizing price, or at the stop under it."""
    minimum = max(market.min_notional, state.rules.limits.min_order_notional)
    percent = state.rules.limits.stop_loss_percent
    lowest = market.notional(stop_under(price, 1, percent) if percent else price, lots)
    if state.rules.on_exchange and percent:
        lowest = min(lowest, _worth_at_the_limit(state, market, price, lots))
    if lots >= max(1, market.least_amount) and lowest >= minimum:
        return None
    unit = 10**state.rules.quote_decimals
    return Refused(
        Refusal.MIN_NOTIONAL,
        f"{lowest / unit:.8g} {state.rules.quote} at the stop, at least {minimum / unit:.8g}",
    )


def _worth_at_the_limit(state: EngineState, market: MarketUnits, price: int, lots: int) -> int:
    """What the stop's order will be worth at its limit, when the entry's fee was taken in base."""
    rules, stop = state.rules, stop_under(price, 1, state.rules.limits.stop_loss_percent)
    offset = rules.live.stop_limit_offset_percent if rules.live else 0
    limit = stop_under(stop, 1, offset) if offset else stop
    held = lots * (WHOLE - rules.costs.fee_percent) // WHOLE
    return market.notional(limit - limit % market.price_step, market.stepped(held))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole > 0 else "over 100"
