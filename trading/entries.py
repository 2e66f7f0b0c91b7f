"""Entries: how much to buy, and whether (rulebook 4). The verdict is typed: only Approved is sent."""

from collections.abc import Mapping

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
) -> Verdict:
    """Size a BUY decided at the close of the newest candle and test it against every limit."""
    rules = state.rules
    market = markets[symbol.symbol]
    price = bought_at(symbol.last_close, rules.costs.slippage_percent)
    lots = sized(state, market, price)
    decided_ms = state.open_time_ms + rules.timeframe_ms
    refused = (
        _blocked(state)
        or _stale(state, symbol)
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
    return min(share, affordable_lots(free, lot_cost, state.rules.costs.fee_percent, market.fee_step))


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
    if lots and lowest >= minimum:
        return None
    unit = 10**state.rules.quote_decimals
    return Refused(
        Refusal.MIN_NOTIONAL,
        f"{lowest / unit:.8g} {state.rules.quote} at the stop, at least {minimum / unit:.8g}",
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole > 0 else "over 100"
