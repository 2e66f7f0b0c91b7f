"""Cash, positions and trades (rulebook 2 and 8): every fill is booked here and nowhere else."""

from msgspec import Struct

from trading.market import MarketUnits
from trading.orders import Fill, Reason
from trading.protection import stop_under, target_over
from trading.rules import Limits
from trading.signals import Side
from trading.vote import Vote


class Position(Struct):
    """What is held of one symbol: lots, what they cost in quote units, and their protection.

    `stop`, `target` and `highest_close` are prices in ticks; a stop or target of 0 is none. `bought` lots
    were bought in all; `sold` lots have been sold so far, for `sold_notional` and `exit_fee`.
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
    sold: int = 0
    sold_notional: int = 0
    exit_fee: int = 0
    bought: int = 0
    last_sale: Fill | None = None


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


class Dust(Struct, frozen=True):
    """What was left of a position because it is too little to sell: lots, and what they cost in quote
    units."""

    amount: int
    entry_notional: int
    entry_fee: int


def cash_after(cash: int, fill: Fill, market: MarketUnits) -> int:
    """The cash after a fill; a fee that was taken in base is not paid in quote."""
    notional = market.notional(fill.price, fill.amount)
    charged = fill.fee - market.notional(fill.price, fill.fee_base)
    return cash - notional - charged if fill.side is Side.BUY else cash + notional - charged


def opened(
    fill: Fill, market: MarketUnits, limits: Limits, votes: tuple[Vote, ...], dust: Dust | None = None
) -> Position:
    """The position that an entry's first fill opens, with its stop and target; dust becomes part of it."""
    position = Position(
        symbol=fill.symbol,
        amount=dust.amount if dust else 0,
        entry_price=fill.price,
        entry_notional=dust.entry_notional if dust else 0,
        entry_fee=dust.entry_fee if dust else 0,
        entry_time_ms=fill.time_ms,
        entry_order_id=fill.order_id,
        stop=0,
        target=0,
        votes=votes,
    )
    add_bought(position, fill, market, limits)
    return position


def add_bought(position: Position, fill: Fill, market: MarketUnits, limits: Limits) -> None:
    """Book a fill that buys; stop and target follow the weighted mean of what was paid (rulebook 2).

    A fee taken in base makes the position smaller, and is a fee of its worth at the fill's price.
    """
    in_base = market.notional(fill.price, fill.fee_base)
    position.bought += fill.amount
    position.amount += fill.amount - fill.fee_base
    position.entry_notional += market.notional(fill.price, fill.amount) - in_base
    position.entry_fee += fill.fee
    worth = (position.amount + position.sold) * market.tick_lot
    if not worth:
        return
    position.entry_price = _mean(position.entry_notional, worth)
    stop = stop_under(position.entry_notional, worth, limits.stop_loss_percent)
    position.stop = stop - stop % market.price_step
    target = target_over(position.entry_notional, worth, limits.take_profit_percent)
    position.target = target + -target % market.price_step
    raise_stop(position, position.highest_close, limits.trailing_stop_percent)


def take_sold(position: Position, fill: Fill, market: MarketUnits) -> None:
    """Book a fill that sells. Raises ValueError when it sells more than is held."""
    taken = fill.amount + fill.fee_base
    if taken > position.amount:
        raise ValueError(f"fill {fill.id} sells {taken} lots of {fill.symbol}; {position.amount} are held")
    position.amount -= taken
    position.sold += fill.amount
    position.sold_notional += market.notional(fill.price, fill.amount)
    position.exit_fee += fill.fee
    position.last_sale = fill


def closed(position: Position, market: MarketUnits) -> Trade:
    """The trade that a position was, with its last sale; what it still holds is dust, which keeps its part
    of what was paid. Raises ValueError when nothing of it was sold."""
    fill = position.last_sale
    if fill is None:
        raise ValueError(f"nothing of the position in {position.symbol} was sold")
    rest = dust_of(position)
    entry_notional = position.entry_notional - rest.entry_notional
    entry_fee = position.entry_fee - rest.entry_fee
    return Trade(
        symbol=position.symbol,
        amount=position.sold,
        entry_time_ms=position.entry_time_ms,
        entry_price=position.entry_price,
        entry_notional=entry_notional,
        entry_fee=entry_fee,
        entry_order_id=position.entry_order_id,
        exit_time_ms=fill.time_ms,
        exit_price=_mean(position.sold_notional, position.sold * market.tick_lot),
        exit_notional=position.sold_notional,
        exit_fee=position.exit_fee,
        exit_order_id=fill.order_id,
        exit_reason=fill.reason,
        realized_profit=position.sold_notional - entry_notional - entry_fee - position.exit_fee,
        votes=position.votes,
    )


def dust_of(position: Position) -> Dust:
    """What a position still holds, with its part of what was paid, rounded down."""
    held = position.amount + position.sold
    if not position.amount:
        return Dust(0, 0, 0)
    return Dust(
        position.amount,
        position.entry_notional * position.amount // held,
        position.entry_fee * position.amount // held,
    )


def _mean(notional: int, worth: int) -> int:
    """A mean price in ticks, to the nearest, ties to even."""
    whole, rest = divmod(notional, worth)
    return whole + (2 * rest > worth or (2 * rest == worth and whole % 2 == 1))


def raise_stop(position: Position, close: int, trailing_stop_percent: int) -> None:
    """Let the stop follow the highest close since the entry; it never falls."""
    position.highest_close = max(position.highest_close, close)
    if trailing_stop_percent:
        position.stop = max(position.stop, stop_under(position.highest_close, 1, trailing_stop_percent))
