"""The local exchange in the loop of a test."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any, Self

import msgspec
from aiohttp import web

from tests.support.exchange.account import Account
from tests.support.exchange.model import (
    Clock,
    Fault,
    Market,
    Number,
    Order,
    State,
    Truth,
)
from tests.support.exchange.rest import Rest
from tests.support.exchange.sockets import Sockets
from tests.support.exchange.tape import Candle, Tape

API_KEY, API_SECRET = "local-key", "local-secret"
PRICES = {"BTC/USDT": "60000", "ETH/USDT": "3000"}
HOLDINGS = {"USDT": "10000"}


class LocalExchange:
    """An exchange with one account: speaks Binance's spot API at `port`, and does what a test says.

    `async with LocalExchange() as exchange`: it serves at a free port of this machine. Its markets stand at
    `prices`, the account holds `holdings`; its clock starts at `now_ms` (default: the wall clock).
    """

    def __init__(
        self,
        prices: Mapping[str, Number] = PRICES,
        holdings: Mapping[str, Number] = HOLDINGS,
        now_ms: int | None = None,
        candle_ms: int = 60_000,
        markets: Sequence[Market] = (),
    ) -> None:
        self.clock, self.state, self.candle_ms = Clock(now_ms), State(), candle_ms
        known = {each.symbol: each for each in msgspec.convert(list(markets), list[Market])}
        self.tapes = {
            symbol: Tape(known.get(symbol, Market(symbol)), self.clock, candle_ms, Decimal(price))
            for symbol, price in prices.items()
        }
        amounts = {name: Decimal(amount) for name, amount in holdings.items()}
        self.account = Account(self.tapes, self.clock, self.state, amounts)
        self.rest = Rest(self.account, self.clock, self.state, (API_KEY, API_SECRET))
        self.sockets = Sockets(self.tapes, self.state)
        self.port = 0

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> Self:
        """Serve at a port of this machine (0: a free one)."""
        app = web.Application()
        app.router.add_get("/stream/{rest:.*}", self.sockets.handle)
        app.router.add_route("*", "/{rest:.*}", self.rest.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._beat = asyncio.create_task(self.sockets.beat())
        return self

    async def stop(self) -> None:
        """Cut all lines and leave the port."""
        self._beat.cancel()
        await self.rest.stop()
        self.sockets.drop()
        await self._runner.cleanup()

    def ccxt_options(self) -> dict[str, Any]:
        """The `exchange.options` that lead ccxt's binanceus here, sockets included."""
        http, sockets = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        urls = {
            **{name: f"{http}/api/v3" for name in ("public", "private", "v3")},
            "v1": f"{http}/api/v1",
            "sapi": f"{http}/sapi/v1",
            "sapiV2": f"{http}/sapi/v2",
            "sapiV3": f"{http}/sapi/v3",
            "web": http,
            # ccxt knows a spot stream by "/stream" in its address.
            "ws": {"spot": f"{sockets}/stream/ws", "ws-api": {"spot": f"{sockets}/stream/ws-api"}},
        }
        return {"urls": {"api": urls}, "options": {"fetchCurrencies": False}, "rateLimit": 1}

    # What the market does.

    def set_price(
        self, symbol: str, price: Number, bid: Number | None = None, ask: Number | None = None
    ) -> None:
        """A trade at a price in quote: triggers and fills what it reaches, and tells the sockets."""
        best = [None if each is None else Decimal(each) for each in (bid, ask)]
        self.tapes[symbol].move(Decimal(price), *best)
        self.account.match(symbol)
        self.sockets.push(symbol)

    def step(self, by_ms: int) -> None:
        """Time passes, without a trade; clients that know the time go on knowing it."""
        self.clock.step(by_ms)
        self.sockets.push()

    def close_candle(self, prices: Mapping[str, Number] | None = None, missing: Sequence[str] = ()) -> int:
        """Close the present candle at `prices`, by stepping to the next one; those of `missing` have none.

        Returns its open time.
        """
        open_ms = self.clock.now_ms() // self.candle_ms * self.candle_ms
        for symbol, price in (prices or {}).items():
            self.set_price(symbol, price)
        for symbol in missing:
            self.tapes[symbol].missing.add(open_ms)
            self.tapes[symbol].candles.pop(open_ms, None)
        self.step(max(0, open_ms + self.candle_ms - self.clock.now_ms()))
        return open_ms

    def add_history(self, count: int, symbols: Sequence[str] = ()) -> None:
        """`count` closed candles before the first one, in waves of 2 % under the first price."""
        for symbol in symbols or self.tapes:
            tape = self.tapes[symbol]
            first = tape.candles[min(tape.candles)]
            for back in range(1, count + 1):
                steps = abs(back % 40 - 20) - 20
                price = (first.open * (1000 + steps) / 1000).quantize(tape.market.tick)
                open_ms, tick = first.open_ms - back * self.candle_ms, tape.market.tick
                tape.candles[open_ms] = Candle(open_ms, price, price + tick, price - tick, price, Decimal(7))

    def put_candle(
        self,
        symbol: str,
        open_ms: int,
        open: Number,
        high: Number,
        low: Number,
        close: Number,
        volume: Number = 1,
    ) -> None:
        """Add or revise a candle, sound or not (`NaN`), and tell the sockets of it."""
        tape = self.tapes[symbol]
        tape.candles[open_ms] = Candle(open_ms, *map(Decimal, (open, high, low, close, volume)))
        self.sockets.tell_candle(tape, tape.candles[open_ms])

    # What goes wrong.

    def set(self, **values: Any) -> None:
        """Switch fields of State."""
        changed = msgspec.convert({**msgspec.to_builtins(self.state), **values}, State)
        for name in values:
            setattr(self.state, name, getattr(changed, name))

    def fault(self, **fields: Any) -> None:
        """Add a Fault by its fields; the first that fits a request takes it."""
        self.rest.faults.append(msgspec.convert(fields, Fault))

    def clear(self) -> None:
        """Everything works again, and State is as at the start; time, prices and orders stay."""
        self.rest.faults.clear()
        self.rest.weights.clear()
        self.rest.banned_until = 0.0
        self.set(**msgspec.to_builtins(State()))

    def ban(self, seconds: float) -> None:
        """Answer everything with 418 for so long."""
        self.rest.ban(seconds)

    def use_weight(self, weight: int) -> None:
        """Somebody else at this address asks much."""
        self.rest.use_weight(weight)

    def jump_clock(self, by_ms: int) -> None:
        """The exchange's clock is set: stamps by the time before are wrong by so much (-1021)."""
        self.clock.jump(by_ms)

    def drop_sockets(self) -> None:
        """Cut all websocket lines."""
        self.sockets.drop()

    def say(self, stream: str, message: str) -> None:
        """Send any text on a stream such as `btcusdt@kline_1m`."""
        self.sockets.say(stream, message)

    def set_market(self, symbol: str, **filters: Any) -> None:
        """Change a market's filters, by the fields of Market."""
        tape = self.tapes[symbol]
        tape.market = msgspec.convert({**msgspec.to_builtins(tape.market), **filters}, Market)

    # What people do by hand.

    def order_by_hand(self, symbol: str, side: str, type: str, amount: Number, **params: str) -> Order:
        """The owner orders on the exchange's pages; `params` as the API has them (`price`, `stopPrice`).

        Raises Refusal.
        """
        named = {
            "symbol": self.tapes[symbol].market.id,
            "side": side,
            "type": type,
            "quantity": f"{Decimal(amount):f}",
        }
        limit = {"timeInForce": "GTC"} if "price" in params else {}
        return self.account.place({**named, **limit, **params}, by_hand=True)

    def cancel_by_hand(self, client_id: str, status: str = "CANCELED") -> None:
        """The owner, or the exchange (`EXPIRED`), ends an open order."""
        self.account.end(self._open_order(client_id), status)

    def fill(self, client_id: str, amount: Number, price: Number | None = None) -> None:
        """Somebody takes a part of an open order, at its own price or another one.

        Raises ValueError when that is more than is left.
        """
        order = self._open_order(client_id)
        if Decimal(amount) > order.left:
            raise ValueError(f"{amount} is more than {order.left}")
        at = order.price or self.tapes[order.symbol].price if price is None else Decimal(price)
        self.account.fill(order, Decimal(amount), at)

    def transfer(self, currency: str, amount: Number) -> None:
        """A deposit, or a withdrawal when negative."""
        self.account.transfer(currency, Decimal(amount))

    # What happened.

    def truth(self) -> Truth:
        """All of it, as it is now."""
        used = Counter(each.client_id for each in self.account.orders.values())
        truth = Truth(
            now_ms=self.clock.now_ms(),
            orders=list(self.account.orders.values()),
            fills=self.account.fills,
            balances={name: self.account.balance(name) for name in self.account.holdings},
            sent=dict(self.rest.sent),
            duplicates=[name for name, times in used.items() if times > 1],
            requests=self.rest.requests,
            problems=self.account.problems(),
            sockets=len(self.sockets.lines),
        )
        return deepcopy(truth)

    def _open_order(self, client_id: str) -> Order:
        (order,) = [each for each in self.account.open_orders() if each.client_id == client_id]
        return order
