"""The exchange's REST door: signatures, limits, faults, and the log of what was asked."""

import asyncio
import hashlib
import hmac
import json
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from tests.support.exchange import answers
from tests.support.exchange.account import Account
from tests.support.exchange.model import STOPS, Clock, Fault, Order, Refusal, Request, State
from tests.support.exchange.tape import Tape
from trading.errors import InputError
from trading.timeframe import timeframe_ms

Params = dict[str, str]
WEIGHTS = {
    "GET /exchangeInfo": 10,
    "GET /account": 10,
    "GET /myTrades": 10,
    "GET /allOrders": 10,
    "GET /order": 2,
    "GET /openOrders": 3,
}
OPEN_TO_ALL = ("/ping", "/time", "/exchangeInfo", "/klines", "/depth", "/ticker")
MOST_ROWS = 1000
WINDOW_MS, MOST_AHEAD_MS = 5_000, 1_000


class Rest:
    """Answers requests; what a test wants to know of them stands in `requests` and `sent`."""

    def __init__(self, account: Account, clock: Clock, state: State, keys: tuple[str, str]) -> None:
        self.account, self.clock, self.state, self.keys = account, clock, state, keys
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.sent: Counter[str] = Counter()
        self.weights: deque[tuple[float, int]] = deque()
        self.banned_until = 0.0
        self.late: set[asyncio.Task[None]] = set()
        self.routes: dict[str, Callable[[Params], Any]] = {
            "GET /api/v3/ping": lambda _: {},
            "GET /api/v3/time": lambda _: {"serverTime": clock.now_ms()},
            "GET /api/v3/exchangeInfo": self._markets,
            "GET /api/v3/klines": self._klines,
            "GET /api/v3/depth": self._depth,
            "GET /api/v3/ticker/bookTicker": lambda params: self._each(params, answers.best_prices),
            "GET /api/v3/ticker/24hr": lambda params: self._each(params, answers.day_answer),
            "GET /api/v3/account": self._account,
            "POST /api/v3/order": self._place,
            "GET /api/v3/order": self._order,
            "DELETE /api/v3/order": self._cancel,
            "GET /api/v3/openOrders": self._open_orders,
            "GET /api/v3/allOrders": self._all_orders,
            "GET /api/v3/myTrades": self._trades,
            "GET /sapi/v1/account/apiRestrictions": self._rights,
        }

    @property
    def used_weight(self) -> int:
        """The weight of the requests of the last minute."""
        while self.weights and self.weights[0][0] < time.monotonic() - 60:
            self.weights.popleft()
        return sum(weight for _, weight in self.weights)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Answer a request, or do to it what a fault says."""
        body = await http.text()
        query = http.rel_url.raw_query_string
        params = dict(parse_qsl(f"{query}&{body}", keep_blank_values=True))
        signed = "".join(re.sub(r"(^|&)signature=[^&]*", "", each) for each in (query, body))
        signature = params.pop("signature", "")
        request = Request(http.method, http.path, params, time.monotonic())
        self.requests.append(request)
        self._count(request)

        def execute() -> web.Response:
            return self._execute(request, http.headers.get("X-MBX-APIKEY", ""), signed, signature)

        response = self._limited() or await self._with_faults(http, request, execute)
        request.status = response.status
        return response

    def ban(self, seconds: float) -> None:
        """Answer everything with 418 for so long."""
        self.banned_until = time.monotonic() + seconds

    def use_weight(self, weight: int) -> None:
        """Count requests that somebody else at this address made."""
        self.weights.append((time.monotonic(), weight))

    async def stop(self) -> None:
        """Forget what would still have been executed."""
        for task in self.late:
            task.cancel()

    async def _with_faults(
        self, http: web.Request, request: Request, execute: Callable[[], web.Response]
    ) -> web.StreamResponse:
        fault = next((each for each in self.faults if each.takes(request)), None)
        if fault is None:
            return execute()
        request.faulty = True
        response = execute() if fault.executed or fault.cut else None
        if fault.late_ms:
            task = asyncio.create_task(_later(fault.late_ms, execute))
            self.late.add(task)
            task.add_done_callback(self.late.discard)
        await asyncio.sleep(fault.hold_ms / 1000)
        if fault.reset:
            return _reset(http)
        if fault.cut and response is not None:
            return await _half(http, response)
        if fault.answers:
            return self._faulty(fault)
        return response or (self._error(Refusal(-1000, "", 500)) if fault.late_ms else execute())

    def _execute(self, request: Request, key: str, signed: str, signature: str) -> web.Response:
        route = self.routes.get(f"{request.method} {request.path}")
        if route is None:
            return web.Response(text="<html>404</html>", status=404, content_type="text/html")
        try:
            if not request.path.startswith(tuple(f"/api/v3{each}" for each in OPEN_TO_ALL)):
                self._check_signature(request.params, key, signed, signature)
            return self._json(route(request.params))
        except Refusal as refusal:
            return self._error(refusal)
        except (ValueError, InputError):
            return self._error(Refusal(-1100, "Illegal characters found in a parameter."))

    def _check_signature(self, params: Params, key: str, signed: str, signature: str) -> None:
        if self.state.revoked or key != self.keys[0]:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        wanted = hmac.new(self.keys[1].encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, signature):
            raise Refusal(-1022, "Signature for this request is not valid.")
        if "timestamp" not in params:
            raise Refusal(
                -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
            )
        late_ms = self.clock.late_ms(int(params["timestamp"]))
        if late_ms < -MOST_AHEAD_MS:
            raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if late_ms > int(params.get("recvWindow", WINDOW_MS)):
            raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")

    def _count(self, request: Request) -> None:
        name = f"{request.method} {request.path.removeprefix('/api/v3')}"
        self.weights.append((time.monotonic(), WEIGHTS.get(name, 1)))
        if name == "POST /order":
            self.sent[request.params.get("newClientOrderId", "")] += 1

    def _limited(self) -> web.Response | None:
        """429 over the limit, 418 while banned."""
        banned_s = self.banned_until - time.monotonic()
        if banned_s > 0:
            until = self.clock.now_ms() + int(banned_s * 1000)
            message = f"Way too much request weight used; IP banned until {until}."
            return self._error(Refusal(-1003, message, 418), {"Retry-After": str(int(banned_s) + 1)})
        if not 0 < self.state.weight_limit < self.used_weight:
            return None
        wait_s = int(60 - (time.monotonic() - self.weights[0][0])) + 1
        message = f"Too much request weight used; current limit is {self.state.weight_limit} per 1 MINUTE."
        return self._error(Refusal(-1003, message, 429), {"Retry-After": str(wait_s)})

    def _json(self, value: object, status: int = 200, headers: Params | None = None) -> web.Response:
        told = {"X-MBX-USED-WEIGHT-1M": str(self.used_weight), **(headers or {})}
        return web.json_response(value, status=status, headers=told)

    def _error(self, refusal: Refusal, headers: Params | None = None) -> web.Response:
        return self._json({"code": refusal.code, "msg": refusal.message}, refusal.status, headers)

    def _faulty(self, fault: Fault) -> web.Response:
        if fault.body is None:
            refusal = Refusal(fault.code or -1000, fault.message, fault.status or 400)
            return self._error(refusal, fault.headers)
        kind = "text/html" if fault.body.startswith("<") else "application/json"
        return web.Response(
            text=fault.body, status=fault.status or 200, content_type=kind, headers=fault.headers
        )

    def _markets(self, params: Params) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": self.clock.now_ms(),
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": self.state.weight_limit or 1200,
                }
            ],
            "symbols": [answers.market_answer(tape, self.state) for tape in self._tapes(params)],
        }

    def _klines(self, params: Params) -> Any:
        step_ms = timeframe_ms(params.get("interval", ""))
        since, until = (int(params[name]) if name in params else None for name in ("startTime", "endTime"))
        rows = self.account.tape(params).rows(step_ms, since, until, _limit(params))
        return [answers.kline(each, step_ms) for each in rows]

    def _depth(self, params: Params) -> Any:
        tape = self.account.tape(params)
        best = answers.best_prices(tape)
        sides = {name: [[best[f"{name[:3]}Price"], best[f"{name[:3]}Qty"]]] for name in ("bids", "asks")}
        return {"lastUpdateId": tape.updates, **sides}

    def _account(self, _: Params) -> Any:
        balances = {name: self.account.balance(name) for name in self.account.holdings}
        return answers.account_answer(balances, self.state, self.clock.now_ms())

    def _place(self, params: Params) -> Any:
        if not self.state.can_trade:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        order = self.account.place(params)
        fills = [each for each in self.account.fills if each.order_id == order.id]
        form = params.get("newOrderRespType", "ACK" if order.type in STOPS else "FULL")
        return answers.placed_answer(order, self._id(order), fills, form)

    def _order(self, params: Params) -> Any:
        order = self.account.find(params)
        if order is None or not _seen(order.hidden_until):
            raise Refusal(-2013, "Order does not exist.")
        return answers.order_answer(order, self._id(order))

    def _cancel(self, params: Params) -> Any:
        order = self.account.find(params)
        if order is None:
            raise Refusal(-2011, "Unknown order sent.")
        self.account.end(order)
        told = answers.order_answer(order, self._id(order))
        return {**told, "origClientOrderId": order.client_id, "clientOrderId": f"cancel_{order.id}"}

    def _open_orders(self, params: Params) -> Any:
        symbol = self.account.tape(params).market.symbol if "symbol" in params else ""
        found = [each for each in self.account.open_orders(symbol) if _seen(each.hidden_until)]
        return [answers.order_answer(each, self._id(each)) for each in found]

    def _all_orders(self, params: Params) -> Any:
        symbol = self.account.tape(params).market.symbol
        orders = self.account.orders.values()
        found = [each for each in orders if each.symbol == symbol and _seen(each.hidden_until)]
        rows = [(each.id, each.time_ms, answers.order_answer(each, self._id(each))) for each in found]
        return _page(params, rows, "orderId")

    def _trades(self, params: Params) -> Any:
        market = self.account.tape(params).market
        rows = [
            (each.id, each.time_ms, answers.fill_answer(each, market.id))
            for each in self.account.fills
            if each.symbol == market.symbol
            and _seen(each.hidden_until)
            and params.get("orderId") in (None, str(each.order_id))
        ]
        return _page(params, rows, "fromId")

    def _rights(self, _: Params) -> Any:
        if not self.state.tells_rights:
            raise Refusal(-1000, "No such endpoint.", 404)
        return answers.rights_answer(self.state)

    def _tapes(self, params: Params) -> list[Tape]:
        if "symbol" in params:
            return [self.account.tape(params)]
        wanted = json.loads(params["symbols"]) if "symbols" in params else None
        return [each for each in self.account.tapes.values() if wanted is None or each.market.id in wanted]

    def _each(self, params: Params, answer: Callable[[Tape], Any]) -> Any:
        found = [answer(tape) for tape in self._tapes(params)]
        return found[0] if "symbol" in params else found

    def _id(self, order: Order) -> str:
        return self.account.tapes[order.symbol].market.id


def _seen(hidden_until: float) -> bool:
    return time.monotonic() >= hidden_until


def _limit(params: Params) -> int:
    return min(int(params.get("limit", 500)), MOST_ROWS)


def _page(params: Params, rows: list[tuple[int, int, Any]], first_id: str) -> list[Any]:
    """The first rows from an id or a time on, else the newest ones."""
    since, until = (int(params.get(name, limit)) for name, limit in (("startTime", 0), ("endTime", 2**62)))
    lowest = int(params.get(first_id, 0))
    found = [row for number, time_ms, row in rows if number >= lowest and since <= time_ms <= until]
    return found[: _limit(params)] if lowest or since else found[-_limit(params) :]


async def _later(late_ms: int, execute: Callable[[], web.Response]) -> None:
    await asyncio.sleep(late_ms / 1000)
    execute()


def _reset(http: web.Request) -> web.Response:
    """Cut the line as a crashed machine does (TCP RST)."""
    if http.transport is not None:
        line = http.transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        http.transport.abort()
    return web.Response(status=499)


async def _half(http: web.Request, whole: web.Response) -> web.StreamResponse:
    """Send the first half of an answer, then cut the line."""
    body = msgspec.convert(whole.body, bytes)
    half = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await half.prepare(http)
    await half.write(body[: len(body) // 2])
    _reset(http)
    return half
