"""A market's price and its candles; nothing moves but by a test."""

from decimal import ROUND_DOWN, Decimal

from msgspec import Struct

from tests.support.exchange.model import Clock, Market


class Candle(Struct):
    """Prices in quote, volume in base."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Tape:
    """One market: its last price, best prices, and candles of `candle_ms` from the first price on.

    Without a trade a candle is flat, as Binance has it; the open times in `missing` have none.
    """

    def __init__(self, market: Market, clock: Clock, candle_ms: int, price: Decimal) -> None:
        self.market, self.clock, self.candle_ms = market, clock, candle_ms
        self.price = self.bid = self.ask = price
        self.candles: dict[int, Candle] = {}
        self.missing: set[int] = set()
        self.updates = 0
        self.rolled_ms = self.open_ms() - candle_ms
        self.move(price)

    def open_ms(self) -> int:
        """When the present candle opened."""
        return self.clock.now_ms() // self.candle_ms * self.candle_ms

    def move(self, price: Decimal, bid: Decimal | None = None, ask: Decimal | None = None) -> None:
        """A trade at a price; the best prices are a tick apart around it unless they are given."""
        self.roll()
        tick = self.market.tick
        below = ((price - tick / 2) / tick).to_integral_value(ROUND_DOWN) * tick
        self.price, self.bid = price, below if bid is None else bid
        self.ask = self.bid + tick if ask is None else ask
        self.updates += 1
        if candle := self.candles.get(self.open_ms()):
            candle.high, candle.low = max(candle.high, price), min(candle.low, price)
            candle.close, candle.volume = price, candle.volume + 1

    def roll(self) -> None:
        """Make the candles that have opened since."""
        now = self.open_ms()
        for open_ms in range(self.rolled_ms + self.candle_ms, now + 1, self.candle_ms):
            if open_ms not in self.missing:
                self.candles[open_ms] = flat(open_ms, self.price)
        self.rolled_ms = max(self.rolled_ms, now)

    def rows(self, step_ms: int, since: int | None, until: int | None, limit: int) -> list[Candle]:
        """Candles of a timeframe that open in a time: the first `limit` after `since`, else the last ones."""
        self.roll()
        low, high = since or 0, self.clock.now_ms() if until is None else min(until, self.clock.now_ms())
        times = [each for each in sorted(self.candles) if low <= each // step_ms * step_ms <= high]
        if step_ms == self.candle_ms:
            times = times[:limit] if since is not None else times[-limit:]
            return [self.candles[each] for each in times]
        parts: dict[int, list[Candle]] = {}
        for each in times:
            parts.setdefault(each // step_ms * step_ms, []).append(self.candles[each])
        rows = [_joined(open_ms, candles) for open_ms, candles in parts.items()]
        return rows[:limit] if since is not None else rows[-limit:]


def flat(open_ms: int, price: Decimal) -> Candle:
    """The candle of a time without a trade."""
    return Candle(open_ms, price, price, price, price, Decimal(0))


def _joined(open_ms: int, parts: list[Candle]) -> Candle:
    return Candle(
        open_ms,
        parts[0].open,
        max(each.high for each in parts),
        min(each.low for each in parts),
        parts[-1].close,
        sum((each.volume for each in parts), Decimal(0)),
    )
