"""The simulated exchange: what fills at the open of a candle and inside it (rulebook 5, steps 1 and 2).

A pure function of the ledger's waiting orders, its positions' stops and targets, its cash, and the
candles of one open time. It keeps nothing between calls, and ids are made from order and candle.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from trading.candles import Candle
from trading.costs import affordable_lots, bought_at, fee, sold_at
from trading.ledger import Position, opened
from trading.market import MarketUnits
from trading.orders import Ending, Fill, Order, OrderState, Reason, order_id
from trading.rules import Rules
from trading.signals import Side


class Working(Struct):
    """What one symbol has at the venue: a waiting entry or exit, and the position it protects."""

    symbol: str
    entry: Order | None = None
    exit: Order | None = None
    position: Position | None = None


class Moment(Struct, frozen=True, array_like=True):
    """A candle to trade in and its open time: the strategy's own, or one of a finer timeframe."""

    time_ms: int
    candle: Candle


class Executions(Struct, frozen=True):
    """What happened at one open time, in order."""

    fills: tuple[Fill, ...] = ()
    endings: tuple[Ending, ...] = ()


def can_execute(working: Working, candle: Candle | None) -> bool:
    """Whether anything of this symbol can fill or end in the candle: if not, do not ask the venue."""
    if working.entry is not None:
        return True
    if candle is None or candle.filled:
        return False
    position = working.position
    if position is None:
        return False
    return working.exit is not None or candle.low <= position.stop or 0 < position.target <= candle.high


def execute(
    book: Sequence[Working],
    cash: int,
    moments: Mapping[str, Sequence[Moment]],
    rules: Rules,
) -> Executions:
    """Fill what fills at one open time: waiting sells, waiting buys, then stops and targets.

    `book` stands in the order of the settings; `moments` holds each symbol's candles of this open
    time (one, or several of a finer timeframe; none when the symbol has no candle).
    """
    return _OpenTime(book, cash, moments, rules).run()


class _OpenTime:
    """One open time's executions as they add up."""

    def __init__(
        self,
        book: Sequence[Working],
        cash: int,
        moments: Mapping[str, Sequence[Moment]],
        rules: Rules,
    ) -> None:
        self.cash = cash
        self.rules = rules
        self.fills: list[Fill] = []
        self.endings: list[Ending] = []
        markets = {market.symbol: market for market in rules.markets}
        self.rows = [
            (working, markets[working.symbol], _traded(moments.get(working.symbol, ()))) for working in book
        ]

    def run(self) -> Executions:
        for working, market, traded in self.rows:
            if working.exit is not None and working.position is not None and traded:
                self._sell_at_open(working.exit, working.position, market, traded[0])
        held = [self._position_after_open(*row) for row in self.rows]
        for position, (_, market, traded) in zip(held, self.rows, strict=True):
            if position is not None:
                self._protect(position, market, traded)
        return Executions(tuple(self.fills), tuple(self.endings))

    def _position_after_open(
        self, working: Working, market: MarketUnits, traded: Sequence[Moment]
    ) -> Position | None:
        if working.entry is not None:
            if traded:
                return self._buy_at_open(working.entry, market, traded[0])
            self.endings.append(Ending(working.entry.id, working.symbol, OrderState.CANCELLED, "stale"))
            return None
        return working.position if working.exit is None else None

    def _sell_at_open(self, order: Order, position: Position, market: MarketUnits, moment: Moment) -> None:
        price = sold_at(moment.candle.open, self.rules.costs.slippage_percent, market.price_step)
        self._sell(order.id, order.reason, position, market, price, moment.time_ms)

    def _buy_at_open(self, order: Order, market: MarketUnits, moment: Moment) -> Position | None:
        """Buy what was ordered, or as much of it as the cash pays for."""
        costs = self.rules.costs
        price = bought_at(moment.candle.open, costs.slippage_percent, market.price_step)
        lot_cost = market.notional(price, 1)
        affordable = affordable_lots(self.cash, lot_cost, costs.fee_percent, market.fee_step)
        lots = min(order.amount, market.stepped(affordable))
        minimum = max(market.min_notional, self.rules.limits.min_order_notional)
        if lots == 0 or (lots < order.amount and lots * lot_cost < minimum):
            self.endings.append(Ending(order.id, order.symbol, OrderState.REFUSED, "insufficient_cash"))
            return None
        cost = lots * lot_cost
        charged = fee(cost, costs.fee_percent, market.fee_step)
        self.cash -= cost + charged
        fill = _fill(order.id, order.symbol, Side.BUY, lots, price, charged, moment.time_ms, order.reason)
        self.fills.append(fill)
        return opened(fill, market, self.rules.limits, order.votes)

    def _protect(self, position: Position, market: MarketUnits, traded: Sequence[Moment]) -> None:
        """Let the stop or the target fire inside the candles; when both touch, the stop was first."""
        for moment in traded:
            candle = moment.candle
            if candle.low <= position.stop:
                touched = min(candle.open, position.stop)
                price = sold_at(touched, self.rules.costs.slippage_percent, market.price_step)
                reason = Reason.STOP
            elif 0 < position.target <= candle.high:
                price = max(candle.open, position.target)
                reason = Reason.TAKE_PROFIT
            else:
                continue
            identity = order_id(moment.time_ms, position.symbol, reason)
            self._sell(identity, reason, position, market, price, moment.time_ms)
            return

    def _sell(
        self,
        identity: str,
        reason: Reason,
        position: Position,
        market: MarketUnits,
        price: int,
        time_ms: int,
    ) -> None:
        notional = market.notional(price, position.amount)
        charged = fee(notional, self.rules.costs.fee_percent, market.fee_step)
        self.cash += notional - charged
        self.fills.append(
            _fill(identity, position.symbol, Side.SELL, position.amount, price, charged, time_ms, reason)
        )


def _traded(moments: Sequence[Moment]) -> list[Moment]:
    """The candles in which somebody traded."""
    return [moment for moment in moments if not moment.candle.filled]


def _fill(
    identity: str,
    symbol: str,
    side: Side,
    amount: int,
    price: int,
    charged: int,
    time_ms: int,
    reason: Reason,
) -> Fill:
    return Fill(
        f"{identity}@{time_ms // 1000}", identity, symbol, side, amount, price, charged, time_ms, reason
    )
