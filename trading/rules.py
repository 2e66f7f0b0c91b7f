"""The settings of one run in the account's integers: what the engine decides by.

Percentages, weights and confidences count millionths (`PERCENT` is one percent, `WHOLE` all of it);
money counts quote units (see `trading.market`); times are milliseconds.
"""

from msgspec import Struct

from trading.market import MarketUnits

PERCENT = 1_000_000
WHOLE = 100 * PERCENT


class Costs(Struct, frozen=True):
    """What a simulated fill costs: fee and slippage, in millionths of a percent."""

    fee_percent: int
    slippage_percent: int


class VoteRules(Struct, frozen=True):
    """Threshold in millionths of a percent, quorum in millionths of the enabled weight."""

    confidence_threshold: int
    quorum: int


class Limits(Struct, frozen=True):
    """Every limit of rulebook 4 to 6; 0 is off for the stop, trailing, target and drawdown."""

    position_size_percent: int
    stop_loss_percent: int
    trailing_stop_percent: int
    take_profit_percent: int
    daily_loss_limit_percent: int
    kill_switch_percent: int
    max_drawdown_percent: int
    max_exposure_percent: int
    min_order_notional: int
    max_open_positions: int
    max_orders_per_minute: int
    cooldown_candles_after_stop: int
    max_gap_candles: int


class Seat(Struct, frozen=True):
    """A strategy's place in the vote; the weight counts millionths."""

    name: str
    weight: int
    enabled: bool = True
    warmup_candles: int = 1
    valid_candles: int = 1


class Live(Struct, frozen=True):
    """What only a live run needs: percentages in millionths, times in ms.

    `on_exchange`: orders go to an exchange; else they are filled on paper at its prices. `stale_after_ms`:
    how long after its close the newest candle, and after its time a price, is too old to buy on.
    """

    on_exchange: bool
    stale_after_ms: int
    max_price_jump_percent: int
    stop_limit_offset_percent: int


class Rules(Struct, frozen=True):
    """All that the engine needs to know about a run before its first event.

    `markets` stand in the order of the settings; `quote_decimals` says what a quote unit is
    (10^-quote_decimals of `quote`).
    """

    quote: str
    quote_decimals: int
    initial_capital: int
    timeframe_ms: int
    markets: tuple[MarketUnits, ...]
    costs: Costs
    vote: VoteRules
    limits: Limits
    seats: tuple[Seat, ...]
    live: Live | None = None

    @property
    def on_exchange(self) -> bool:
        """Whether orders go to an exchange."""
        return self.live is not None and self.live.on_exchange
