"""An account at an exchange through ccxt: every answer says what is certain afterwards (rulebook 7)."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from actors.exchange_client import load_markets, make_client, set_markets
from actors.execution import ccxt_markets as markets
from actors.execution import ccxt_orders as orders
from actors.execution.ccxt_client import Line, monotonic_ms
from actors.execution.ccxt_errors import CLOCK_CODE, FILTER_CODES, Trouble
from trading.errors import InputError, OperationError
from trading.exchange_orders import (
    Absent,
    Account,
    Answer,
    Execution,
    Filter,
    OwnTrade,
    Placement,
    Quote,
    Refused,
    Standing,
    Stands,
    Unknown,
)
from trading.order_tracking import RECV_WINDOW_MS, SIGN_WITHIN_MS
from trading.orders import OrderKind

Got = TypeVar("Got")
TIMEOUT_MS = 10_000
NEWEST_TRADES = 100
# How long the exchange's time is good for: a clock that runs faster than ours drifts away soon.
CLOCK_SECONDS, FAST_CLOCK_SECONDS = 30.0, 1.0
CLOCK_AGAIN_SECONDS = (0.0, 0.3, 0.3)
NEEDED = ("createOrder", "fetchOrder", "cancelOrder", "fetchBalance", "fetchMyTrades", "fetchOpenOrders")


class KeyRights(Struct, frozen=True):
    """What a key may do, as far as the exchange tells (None: it does not)."""

    can_trade: bool | None = None
    can_withdraw: bool | None = None
    ip_restricted: bool | None = None


class CcxtAccount:
    """One account at a spot exchange; made by `open`, used in one asyncio loop, ended by `close`."""

    def __init__(self, line: Line, symbols: Sequence[str], cache: Path) -> None:
        self._line, self._client = line, line.client
        self._symbols, self._cache = tuple(symbols), cache
        self._markets: dict[str, markets.Market] = {}
        self._chores: set[asyncio.Task[None]] = set()
        self._clock_wrong = asyncio.Event()
        line.on_clock = self._clock_wrong.set

    def __repr__(self) -> str:
        return f"CcxtAccount({self._client.id})"

    @classmethod
    async def open(
        cls,
        exchange_id: str,
        options: Mapping[str, Any],
        api_key: str,
        api_secret: str,
        symbols: Sequence[str],
        cache_folder: Path | str,
        recv_window_ms: int = RECV_WINDOW_MS,
        timeout_ms: int = TIMEOUT_MS,
    ) -> "CcxtAccount":
        """Connect: with the markets of `cache_folder` at once where they are stored, then they are refreshed
        in the background.

        Raises InputError for a wrong id, option, symbol or missing key, OperationError when the exchange does
        not answer.
        """
        if not api_key or not api_secret:
            raise InputError(
                "exchange.api_key: trading needs AUTOTRADER__EXCHANGE__API_KEY and "
                "AUTOTRADER__EXCHANGE__API_SECRET in the environment"
            )
        client = make_client(exchange_id, {**_pace(exchange_id), **options}, api_key, api_secret)
        account = cls(
            Line(client, (api_key, api_secret), timeout_ms, recv_window_ms),
            symbols,
            _cache_file(Path(cache_folder), exchange_id, options),
        )
        try:
            _check(client)
            await account._start()
        except BaseException:
            await account.close()
            raise
        return account

    async def close(self) -> None:
        """Let the connections go."""
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self._client.close()

    # Orders.

    async def send(self, placement: Placement) -> Answer:
        """Send an order under its own client id, exactly as it is."""
        misfit = markets.misfit(self._client, self._markets.get(placement.symbol), placement)
        if misfit:
            return Refused(misfit)
        leave_by_ms = monotonic_ms() + SIGN_WITHIN_MS
        told = await self._create_by(leave_by_ms, placement)
        if isinstance(told, Trouble) and told.not_done and told.code == CLOCK_CODE:
            # It was refused for its time alone, and surely not done: it may leave again under the right time.
            await self._line.take_time()
            told = await self._create_by(leave_by_ms, placement)
        if not isinstance(told, Trouble):
            return self._sent(told, placement)
        if told.code in FILTER_CODES:
            self._meanwhile(self.refresh_filters())
        if told.not_done:
            wait = f"; again in {told.wait_ms / 1000:.0f} s" if told.wait_ms else ""
            return Refused(told.why + wait)
        return Unknown(told.why, told.wait_ms)

    async def ask(self, symbol: str, client_id: str) -> Answer:
        """How an order stands."""
        for where in markets.lookups(self._client):
            named = {"clientOrderId": client_id, **where}
            told = await self._line.ask(partial(self._client.fetch_order, None, symbol, named), quick=True)
            if not isinstance(told, Trouble) or not told.absent:
                return self._stands(told, symbol, client_id)
        return Absent()

    async def cancel(self, symbol: str, client_id: str, exchange_id: str = "") -> Answer:
        """Cancel an order, and how it stands then; Absent when there is no such open order (any more)."""
        for where in markets.lookups(self._client):
            named = where if exchange_id else {"clientOrderId": client_id, **where}
            request = partial(self._client.cancel_order, exchange_id or None, symbol, named)
            told = await self._line.ask(request, urgent=True)
            if not isinstance(told, Trouble) or not told.absent:
                return self._stands(told, symbol, client_id)
        return Absent()

    async def executions(self, symbol: str, exchange_id: str) -> tuple[Execution, ...] | Unknown:
        """The fills of an order, as many as are visible yet."""
        client = self._client
        by_order = partial(client.fetch_order_trades, exchange_id, symbol)
        request = by_order if client.has.get("fetchOrderTrades") else partial(client.fetch_my_trades, symbol)
        told = await self._line.ask(request, rows=True)
        return self._read(
            told,
            lambda trades: orders.executions_of(
                [each for each in _rows(trades) if str(each.get("order")) == exchange_id], symbol
            ),
        )

    # The account and the market.

    async def account(self, symbols: Sequence[str]) -> Account | Unknown:
        """What is held, and what is open and newly executed in these symbols; the latter may be newer."""
        time_ms = self.server_time_ms()
        held = self._read(await self._line.ask(self._client.fetch_balance), orders.holdings)
        if isinstance(held, Unknown):
            return held
        open_orders: list[Standing] = []
        trades: list[OwnTrade] = []
        for found in await asyncio.gather(*(self._of_symbol(symbol) for symbol in symbols)):
            if isinstance(found, Unknown):
                return found
            open_orders += found[0]
            trades += found[1]
        return Account(time_ms, held, tuple(open_orders), tuple(trades))

    async def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...] | Unknown:
        """The best prices now."""
        time_ms = self.server_time_ms()
        batch = self._client.has.get("fetchBidsAsks")
        fetch = self._client.fetch_bids_asks if batch else self._client.fetch_tickers
        told = await self._line.ask(lambda: fetch(list(symbols)))
        return self._read(told, lambda tickers: tuple(_quote(tickers, each, time_ms) for each in symbols))

    def filters(self) -> tuple[Filter, ...]:
        """The markets' rules as they are known."""
        return tuple(markets.filter_of(self._client, self._markets[symbol]) for symbol in self._symbols)

    async def refresh_filters(self) -> None:
        """Ask for the markets' rules anew; when that fails the old ones stay."""
        try:
            told = await self._load_markets(refresh=True)
        except InputError:
            told = None  # the exchange does not name our symbols any more, or names none at all
        if not isinstance(told, bool):
            set_markets(self._client, self._markets)

    def stop_form(self, symbol: str) -> markets.StopForm:
        """`market`, `limit` (a stop needs its `limit` then), or empty: the exchange has no stops."""
        return markets.stop_form(self._client, self._markets[symbol])

    def server_time_ms(self) -> int:
        """The exchange's time."""
        return self._line.clock.now_ms()

    async def rights(self) -> KeyRights:
        """What our key may do, where the exchange tells."""
        ask = getattr(self._client, "sapiGetAccountApiRestrictions", None)
        told = None if ask is None else await self._line.ask(ask)
        if not isinstance(told, Mapping):
            return KeyRights()
        names = ("enableSpotAndMarginTrading", "enableWithdrawals", "ipRestrict")
        return KeyRights(*(_flag(told.get(name)) for name in names))

    # Inside.

    async def _start(self) -> None:
        told = await self._load_markets()
        if isinstance(told, Trouble):
            raise OperationError(f"{self._client.id} does not tell its markets: {told.why}")
        if told:
            self._meanwhile(self.refresh_filters())
        try:
            async with asyncio.timeout(2):
                await self._line.take_time()
        except TimeoutError:
            self._clock_wrong.set()
        self._meanwhile(self._keep_time())

    async def _load_markets(self, refresh: bool = False) -> bool | Trouble:
        """Whether the markets came from the file."""
        stored = not refresh and self._cache.exists()
        told = await self._line.ask(lambda: load_markets(self._client, self._symbols, self._cache, refresh))
        if isinstance(told, Trouble):
            return told
        self._markets = {symbol: self._client.markets[symbol] for symbol in self._symbols}
        return stored

    async def _keep_time(self) -> None:
        """Know the exchange's time: at the start, every half minute, and when it says that ours is wrong."""
        while True:
            for pause in CLOCK_AGAIN_SECONDS:
                await asyncio.sleep(pause)
                await self._line.take_time()
            self._clock_wrong.clear()
            try:
                await asyncio.wait_for(self._clock_wrong.wait(), self._clock_seconds())
            except TimeoutError:
                continue

    def _clock_seconds(self) -> float:
        return CLOCK_SECONDS if self._line.clock.rate == 1.0 else FAST_CLOCK_SECONDS

    def _meanwhile(self, doing: Awaitable[None]) -> None:
        chore = asyncio.ensure_future(doing)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    async def _create_by(self, leave_by_ms: int, placement: Placement) -> Any:
        return await self._line.ask(partial(self._create, placement), urgent=True, leave_by_ms=leave_by_ms)

    def _create(self, placement: Placement) -> Awaitable[Any]:
        named: dict[str, Any] = {"clientOrderId": placement.client_id}
        form = placement.kind.value
        if placement.kind is OrderKind.STOP:
            form = self.stop_form(placement.symbol)
            parameter = markets.stop_parameter(self._client) or "stopLossPrice"
            named[parameter] = format(placement.trigger or 0, "f")
        price = format(placement.limit, "f") if form == "limit" and placement.limit is not None else None
        amount = format(placement.amount, "f")
        made: Awaitable[Any] = self._client.create_order(
            placement.symbol, form, placement.side.lower(), amount, price, named
        )
        return made

    def _sent(self, told: Any, placement: Placement) -> Answer:
        market_id = self._markets[placement.symbol]["id"]
        brief = self._read(told, lambda order: orders.acknowledged(order, placement, market_id))
        if isinstance(brief, Standing):
            return Stands(brief)
        return self._stands(told, placement.symbol, placement.client_id)

    def _stands(self, told: Any, symbol: str, client_id: str) -> Answer:
        market_id = self._markets.get(symbol, {}).get("id", "")
        found = self._read(told, lambda order: orders.standing_of(order, symbol, market_id))
        if isinstance(found, Unknown):
            return found
        if found.client_id != client_id:
            return Unknown("the answer is about another order")
        return Stands(found)

    async def _of_symbol(self, symbol: str) -> tuple[list[Standing], list[OwnTrade]] | Unknown:
        """The open orders and the newest trades of a symbol."""
        client, market_id = self._client, self._markets.get(symbol, {}).get("id", "")
        told = await self._line.ask(partial(client.fetch_open_orders, symbol), rows=True)
        found = self._read(
            told, lambda rows: [orders.standing_of(each, symbol, market_id) for each in _rows(rows)]
        )
        if isinstance(found, Unknown):
            return found
        told = await self._line.ask(partial(client.fetch_my_trades, symbol, None, NEWEST_TRADES), rows=True)
        trades = self._read(told, lambda rows: [orders.own_trade(each, symbol) for each in _rows(rows)])
        return trades if isinstance(trades, Unknown) else (found, trades)

    def _read(self, told: Any, reader: Callable[[Any], Got]) -> Got | Unknown:
        """What an answer says, or Unknown when it says nothing that can be relied on."""
        if isinstance(told, Trouble):
            return Unknown(told.why, told.wait_ms)
        try:
            return reader(told)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            return Unknown(self._line.clean(f"malformed answer: {error}"))


def _check(client: Any) -> None:
    missing = [name for name in NEEDED if not client.has.get(name)]
    if missing or client.has.get("spot") is False:
        raise InputError(f"exchange.id: {client.id} cannot be traded here: no {', '.join(missing) or 'spot'}")


def _pace(exchange_id: str) -> dict[str, Any]:
    """Binance counts the weight of a minute, and so shall ccxt.

    Its leaky bucket does not fill while nothing is asked: an order waits for a poll that is long gone.
    """
    return {"rateLimiterAlgorithm": "rollingWindow"} if exchange_id.startswith("binance") else {}


def _cache_file(folder: Path, exchange_id: str, options: Mapping[str, Any]) -> Path:
    """One file for each exchange and address."""
    where = hashlib.sha256(json.dumps(options.get("urls"), sort_keys=True, default=str).encode()).hexdigest()
    return folder / f"account-markets-{exchange_id}-{where[:8]}.json"


def _rows(told: Any) -> list[Any]:
    if not isinstance(told, list):
        raise orders.Malformed("no list")
    return told


def _quote(tickers: Any, symbol: str, time_ms: int) -> Quote:
    ticker = tickers[symbol]
    bid, ask = orders.number(ticker.get("bid")), orders.number(ticker.get("ask"))
    if not 0 < bid <= ask:
        raise orders.Malformed(f"no best prices of {symbol}")
    return Quote(symbol, bid, ask, ticker.get("timestamp") or time_ms)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
