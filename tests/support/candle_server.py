"""A local exchange that speaks what ccxt's binanceus asks for candles, and fails on demand."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from trading.timeframe import first_open_from, timeframe_ms

Kline = list[Any]
MOST_ROWS = 1000
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Answer:
    """What is sent instead of the right answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Promise more bytes than are sent, and hang up."""


@dataclass
class CandleServer:
    """An exchange whose clock stands at `now_ms` and whose markets trade from `listed_ms` on.

    `faults` are used up in their order by the requests for candles: an answer, or a change to the rows.
    """

    listed_ms: int
    now_ms: int
    symbols: tuple[tuple[str, str], ...] = (("BTC", "USDT"), ("ETH", "USDT"))
    missing: set[int] = field(default_factory=set)
    """Hours without a trade."""
    windowed: bool = False
    """Whether a page reaches over `limit` timeframes, as some exchanges have it, not `limit` candles."""
    faults: list[Answer | Callable[[list[Kline]], list[Kline]]] = field(default_factory=list)
    always: Answer | None = None
    """Sent to every request, whatever it asks for."""
    on_candles: Callable[[], None] = lambda: None
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """The `exchange.options` that lead ccxt here."""
        return {"urls": {"api": {"public": f"http://127.0.0.1:{self.port}/api/v3"}}, "rateLimit": 1}

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        """The answer to one request."""
        if self.always:
            return self.always
        if path.endswith("/time"):
            return _json({"serverTime": self.now_ms})
        if path.endswith("/exchangeInfo"):
            return _json({"symbols": [_market(base, quote) for base, quote in self.symbols]})
        self.asked.append(query)
        self.on_candles()
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Answer):
            return fault
        rows = self._klines(query)
        return _json(fault(rows) if fault else rows)

    def _klines(self, query: dict[str, str]) -> list[Kline]:
        length = timeframe_ms(query["interval"])
        since, limit = int(query["startTime"]), min(int(query["limit"]), MOST_ROWS)
        last = min(self.now_ms, since + limit * length - 1) if self.windowed else self.now_ms
        times = range(first_open_from(since, length), last + 1, length)
        traded = (time for time in times if self._traded(time, length))
        return [kline(time, length) for time in islice(traded, limit)]

    def _traded(self, open_ms: int, length: int) -> bool:
        """Whether a candle has an hour, or is a part of one, that was traded in."""
        parts = range(open_ms, open_ms + length, min(length, HOUR_MS))
        return any(part >= self.listed_ms and part not in self.missing for part in parts)


def kline(time_ms: int, length_ms: int) -> Kline:
    """The candle of an open time: a function of it alone, with prices that no binary float has."""
    open_ = 10_000 + time_ms // length_ms % 1_000
    texts = (f"{open_}.10000000", f"{open_ + 3}.30000000", f"{open_ - 1}.70000000", f"{open_ + 1}.20000000")
    return [time_ms, *texts, "12.34500000", time_ms + length_ms - 1, "0", 1, "0", "0", "0"]


@contextmanager
def serving(server: CandleServer) -> Iterator[CandleServer]:
    """The server at a free port of this machine, which it notes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            answer = server.answer(url.path, {name: each[0] for name, each in parse_qs(url.query).items()})
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body) + (10 if answer.cut else 0)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.port = http.server_port
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _json(value: object) -> Answer:
    return Answer(body=json.dumps(value).encode())


def _market(base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "isSpotTradingAllowed": True,
        "permissions": ["SPOT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        ],
    }
