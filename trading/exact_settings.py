"""From the settings as a person writes them to the rules in integers that the engine decides by."""

from collections.abc import Sequence
from decimal import Decimal

from trading.exchange_orders import Filter
from trading.market import Market, decimal_places, market_units, quote_decimals, to_units
from trading.rules import Costs, Limits, Live, Rules, Seat, VoteRules
from trading.settings import RiskSettings, Settings, StrategySettings
from trading.strategies.base import Strategy
from trading.symbols import quote_of

LIVE_DECIMALS = 8


def millionths(value: Decimal) -> int:
    """A percentage, weight or confidence in millionths; settings have at most 6 decimals."""
    return to_units(value, 6)


def rules_of(
    settings: Settings,
    markets: Sequence[Market],
    strategies: Sequence[tuple[StrategySettings, Strategy]],
    timeframe_ms: int,
    live: Live | None = None,
) -> Rules:
    """The rules of one run; `markets` stand in the order in which symbols are sized."""
    capital = settings.engine.initial_capital_quote
    minimum = settings.risk.min_order_notional_quote
    decimals = quote_decimals(markets, capital, minimum)
    return Rules(
        quote=quote_of(markets[0].symbol),
        quote_decimals=decimals,
        initial_capital=to_units(capital, decimals),
        timeframe_ms=timeframe_ms,
        markets=tuple(market_units(market, decimals) for market in markets),
        costs=Costs(millionths(settings.costs.fee_percent), millionths(settings.costs.slippage_percent)),
        vote=VoteRules(millionths(settings.vote.confidence_threshold), millionths(settings.vote.quorum)),
        limits=limits_of(settings.risk, decimals),
        seats=tuple(seat_of(chosen, strategy) for chosen, strategy in strategies),
        live=live,
    )


def live_of(risk: RiskSettings, timeframe_ms: int, *, on_exchange: bool) -> Live:
    """What a live run needs besides; prices are stale after 10 s, candles 10 s after the next one is due."""
    seconds = risk.stale_after_seconds
    return Live(
        on_exchange=on_exchange,
        stale_after_ms=timeframe_ms + 10_000 if seconds is None else int(seconds * 1000),
        max_price_jump_percent=millionths(risk.max_price_jump_percent),
        stop_limit_offset_percent=millionths(risk.stop_limit_offset_percent),
    )


def live_market(found: Filter) -> Market:
    """A live market, counted in steps that stay whole when the exchange changes its own: 10^-8, or finer
    where the exchange is."""
    tick, lot = (
        Decimal(1).scaleb(-max(LIVE_DECIMALS, decimal_places(each))) for each in (found.tick, found.lot)
    )
    return Market(
        found.symbol,
        tick,
        lot,
        found.min_notional,
        price_step=int(found.tick / tick),
        amount_step=int(found.lot / lot),
        least_amount=int(-(-found.min_amount // lot)),
        most_amount=int(found.most_amount // lot),
    )


def limits_of(risk: RiskSettings, decimals: int) -> Limits:
    """The limits in millionths of a percent, quote units and counts."""
    return Limits(
        position_size_percent=millionths(risk.position_size_percent),
        stop_loss_percent=millionths(risk.stop_loss_percent),
        trailing_stop_percent=millionths(risk.trailing_stop_percent),
        take_profit_percent=millionths(risk.take_profit_percent),
        daily_loss_limit_percent=millionths(risk.daily_loss_limit_percent),
        kill_switch_percent=millionths(risk.kill_switch_percent),
        max_drawdown_percent=millionths(risk.max_drawdown_percent),
        max_exposure_percent=millionths(risk.max_exposure_percent),
        min_order_notional=to_units(risk.min_order_notional_quote, decimals),
        max_open_positions=risk.max_open_positions,
        max_orders_per_minute=risk.max_orders_per_minute,
        cooldown_candles_after_stop=risk.cooldown_candles_after_stop,
        max_gap_candles=risk.max_gap_candles,
    )


def seat_of(chosen: StrategySettings, strategy: Strategy) -> Seat:
    """A strategy's place in the vote, from its settings and from what it declares."""
    return Seat(
        name=chosen.name,
        weight=millionths(chosen.weight),
        enabled=chosen.enabled,
        warmup_candles=strategy.warmup_candles,
        valid_candles=chosen.valid_candles or strategy.valid_candles,
    )
