"""Cash, positions and trades (rulebook 2 and 8): every fill is booked here and nowhere else."""

from msgspec import Struct

from trading.market import MarketUnits
from trading.orders import Fill, Reason
from trading.protection import stop_under, target_over
from trading.rules import Limits
from trading.vote import Vote


class Position(Struct):
    """What is held of one symbol: lots, what they cost in quote units, and their protection.

    `stop`, `target` and `highest_close` are prices in ticks; a stop or target of 0 is none.
    """

    symbol: str
    amount: int
    entry_price: int
    entry_notional: int
    entry_fee: int
    entry_time_ms: int
    entry_order_id: str
    stop: int
    target: int
    highest_close: int = 0
    votes: tuple[Vote, ...] = ()


class Trade(Struct, frozen=True):
    """A position from entry to exit; money in quote units, prices in ticks, amount in lots."""

    symbol: str
    amount: int
    entry_time_ms: int
    entry_price: int
    entry_notional: int
    entry_fee: int
    entry_order_id: str
    exit_time_ms: int
    exit_price: int
    exit_notional: int
    exit_fee: int
    exit_order_id: str
    exit_reason: Reason
    realized_profit: int
    votes: tuple[Vote, ...]


def opened(fill: Fill, market: MarketUnits, limits: Limits, votes: tuple[Vote, ...]) -> Position:
    """The position that an entry's fill opens, with its stop and target."""
    notional = market.notional(fill.price, fill.amount)
    worth = fill.amount * market.tick_lot
    return Position(
        symbol=fill.symbol,
        amount=fill.amount,
        entry_price=fill.price,
        entry_notional=notional,
        entry_fee=fill.fee,
        entry_time_ms=fill.time_ms,
        entry_order_id=fill.order_id,
        stop=stop_under(notional, worth, limits.stop_loss_percent),
        target=target_over(notional, worth, limits.take_profit_percent),
        votes=votes,
    )


def closed(position: Position, fill: Fill, market: MarketUnits) -> Trade:
    """The trade that an exit's fill of the whole position makes."""
    exit_notional = market.notional(fill.price, fill.amount)
    return Trade(
        symbol=position.symbol,
        amount=position.amount,
        entry_time_ms=position.entry_time_ms,
        entry_price=position.entry_price,
        entry_notional=position.entry_notional,
        entry_fee=position.entry_fee,
        entry_order_id=position.entry_order_id,
        exit_time_ms=fill.time_ms,
        exit_price=fill.price,
        exit_notional=exit_notional,
        exit_fee=fill.fee,
        exit_order_id=fill.order_id,
        exit_reason=fill.reason,
        realized_profit=exit_notional - position.entry_notional - position.entry_fee - fill.fee,
        votes=position.votes,
    )


def raise_stop(position: Position, close: int, trailing_stop_percent: int) -> None:
    """Let the stop follow the highest close since the entry; it never falls."""
    position.highest_close = max(position.highest_close, close)
    if trailing_stop_percent:
        position.stop = max(position.stop, stop_under(position.highest_close, 1, trailing_stop_percent))
