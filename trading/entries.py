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
from trading.vote import Vote

MINUTE_MS = 60_000


def judge_entry(
    state: EngineState,
    symbol: SymbolState,
    markets: Mapping[str, MarketUnits],
    votes: tuple[Vote, ...],
) -> Verdict:
    """Size a BUY decided at the close of the newest candle and test it against every limit."""
    refusal = _blocked(state, symbol)
    if refusal is not None:
        return Refused(refusal)
    rules = state.rules
    market = markets[symbol.symbol]
    price = bought_at(symbol.last_close, rules.costs.slippage_percent)
    lots = sized(state, market, price)
    refusal = _over_limit(state, symbol, market, markets, lots)
    decided_ms = state.open_time_ms + rules.timeframe_ms
    if refusal is None and _rate_reached(state, decided_ms):
        refusal = Refusal.MAX_ORDERS_PER_MINUTE
    if refusal is None and _too_small(state, market, price, lots):
        refusal = Refusal.MIN_NOTIONAL
    if refusal is not None:
        return Refused(refusal)
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


def _blocked(state: EngineState, symbol: SymbolState) -> Refusal | None:
    if state.paused:
        return Refusal.PAUSED
    if state.killed:
        return Refusal.KILLED
    if state.day_blocked:
        return Refusal.DAILY_LOSS
    if not symbol.real or symbol.holes.recovering(longest_warmup(state)):
        return Refusal.STALE
    if state.open_time_ms < symbol.cooldown_until_ms:
        return Refusal.COOLDOWN
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
) -> Refusal | None:
    count, worth = committed(state, markets)
    if count >= state.rules.limits.max_open_positions:
        return Refusal.MAX_OPEN_POSITIONS
    exposure = worth + market.notional(symbol.last_close, lots)
    if exposure * WHOLE > state.rules.limits.max_exposure_percent * state.equity:
        return Refusal.MAX_EXPOSURE
    return None


def _rate_reached(state: EngineState, now_ms: int) -> bool:
    state.entries_ms = [sent for sent in state.entries_ms if sent > now_ms - MINUTE_MS]
    return len(state.entries_ms) >= state.rules.limits.max_orders_per_minute


def _too_small(state: EngineState, market: MarketUnits, price: int, lots: int) -> bool:
    """Whether the notional is under a minimum at the sizing price, or at the stop under it."""
    minimum = max(market.min_notional, state.rules.limits.min_order_notional)
    percent = state.rules.limits.stop_loss_percent
    lowest = stop_under(price, 1, percent) if percent else price
    return lots == 0 or market.notional(lowest, lots) < minimum
