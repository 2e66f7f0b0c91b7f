"""One ccxt client with keys: every request with a time-out, inside the budget, and judged when it fails."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from contextvars import ContextVar
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypeVar

from actors.exchange_client import retry_after_ms
from actors.execution.ccxt_errors import CLOCK_CODE, Reply, Trouble, clean, judge
from actors.execution.rate_budget import RateBudget
from actors.execution.server_clock import ServerClock
from trading.errors import AutotraderError

Got = TypeVar("Got")
MINUTE_MS = 60_000
LONGEST_WINDOW_MS = 60_000
POLLS_AT_ONCE = 4
# What an order waits for is answered soon, or asked for anew.
QUICK_MS = 3_000
_reply: ContextVar[Reply | None] = ContextVar("reply", default=None)


class HeldBack(Exception):
    """A request was not made, because the exchange forbids all of them now."""


def monotonic_ms() -> int:
    """A clock that only goes forward."""
    return time.monotonic_ns() // 1_000_000


class Line:
    """The way to an exchange for one account.

    `client` is a ccxt client that only this line uses; `secrets` never show in what it tells. `on_clock` is
    called when the exchange says that our time is wrong.
    """

    def __init__(self, client: Any, secrets: tuple[str, ...], timeout_ms: int, recv_window_ms: int) -> None:
        self.client, self.clock = client, ServerClock()
        self.budget = RateBudget(MINUTE_MS / max(float(client.rateLimit), 1e-3))
        self.on_clock: Callable[[], None] = lambda: None
        self._secrets, self._timeout_ms = secrets, timeout_ms
        self._recv_window_ms = recv_window_ms
        self._polls = asyncio.Semaphore(POLLS_AT_ONCE)
        self._bare_lists = client.id.startswith("binance")
        self._bend(client)

    def __repr__(self) -> str:
        return f"Line({self.client.id})"

    async def ask(
        self,
        request: Callable[[], Awaitable[Got]],
        urgent: bool = False,
        leave_by_ms: int | None = None,
        rows: bool = False,
        quick: bool = False,
    ) -> Got | Trouble:
        """What a request gives, or what is certain when it gives nothing.

        An `urgent` request (an order, a cancel) passes the polls; it and a `quick` one wait 3 s at most. An
        order leaves by `leave_by_ms` (of `monotonic_ms`) or not at all.
        `rows`: a list is asked for; ccxt takes anything else for an empty one. Never raises what comes from
        ccxt.
        """
        wait_ms = self.budget.wait_ms(monotonic_ms(), urgent, leave_by_ms is not None)
        if wait_ms:
            return _held_back(wait_ms)
        reply = Reply(leave_by_ms)
        timeout_ms = min(self._timeout_ms, QUICK_MS) if urgent or quick else self._timeout_ms
        token = _reply.set(reply)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                async with nullcontext() if urgent else self._polls:
                    told = await request()
            odd = rows and self._bare_lists and not reply.body.lstrip().startswith("[")
            return Trouble("malformed answer: no list") if odd else told
        except AutotraderError:
            raise
        except HeldBack:
            return _held_back(self.budget.silent_ms(monotonic_ms()))
        except Exception as error:
            return self._judged(error, reply)
        finally:
            _reply.reset(token)

    def clean(self, text: object) -> str:
        """A text from outside without anything secret."""
        return clean(text, self._secrets)

    async def take_time(self) -> bool:
        """Ask the exchange for its time; whether it told."""
        if not self.client.has.get("fetchTime"):
            return True
        asked_ms = monotonic_ms()
        told = await self.ask(self.client.fetch_time)
        if isinstance(told, int):
            self.clock.told(told, asked_ms)
            self._fit_window()
        return isinstance(told, int)

    def _fit_window(self) -> None:
        """The window in which an order is taken is as long as it is by our clock."""
        window_ms = round(self._recv_window_ms * max(1.0, self.clock.rate))
        self.client.options["recvWindow"] = min(LONGEST_WINDOW_MS, window_ms)

    def _judged(self, error: Exception, reply: Reply) -> Trouble:
        trouble = judge(error, reply, self._secrets)
        if trouble.code == CLOCK_CODE:
            self.on_clock()
        wait_ms = max(trouble.wait_ms, self.budget.silent_ms(monotonic_ms()))
        return Trouble(trouble.why, trouble.not_done, trouble.absent, wait_ms, trouble.code)

    def _bend(self, client: Any) -> None:
        """Make the client do as this line says: its time, exact texts, no retries, no logs of its own."""
        silent = logging.Logger("ccxt")
        silent.disabled = True
        client.logger, client.verbose, client.number, client.timeout = silent, False, str, self._timeout_ms
        client.options.update(
            maxRetriesOnFailure=0, fetchCurrencies=False, adjustForTimeDifference=False, timeDifference=0
        )
        self._fit_window()
        client.milliseconds = self.clock.now_ms
        client.seconds = lambda: self.clock.now_ms() // 1000
        client.microseconds = lambda: self.clock.now_ms() * 1000
        client.amount_to_precision = client.price_to_precision = _exact_text
        fetch, heard = client.fetch, client.on_rest_response
        client.fetch = lambda *args, **named: self._fetch(fetch, *args, **named)
        client.on_rest_response = lambda *args: self._hear(heard, *args)

    async def _fetch(self, fetch: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        if self.budget.silent_ms(monotonic_ms()):
            raise HeldBack
        reply = _reply.get()
        if reply is not None and reply.leave_by_ms is not None and monotonic_ms() > reply.leave_by_ms:
            raise HeldBack
        if reply is not None:
            reply.requests += 1
            reply.status, reply.accepted = 0, False
        told = await fetch(*args, **named)
        if reply is not None:
            reply.accepted = True
        return told

    def _hear(self, heard: Callable[..., Any], status: int, *args: Any) -> Any:
        headers, body = dict(args[3]), str(args[4])
        reply = _reply.get() or Reply()
        reply.status, reply.body = status, body
        now_ms = self.clock.now_ms()
        answer = SimpleNamespace(last_response_headers=headers, last_http_response=body)
        self.budget.answered(
            status,
            headers,
            reply.error[0] if status >= 400 else "",
            retry_after_ms(answer, now_ms),
            monotonic_ms(),
            MINUTE_MS - now_ms % MINUTE_MS,
        )
        return heard(status, *args)


def _held_back(wait_ms: int) -> Trouble:
    return Trouble("the exchange's rate limit: nothing is asked now", not_done=True, wait_ms=wait_ms)


def _exact_text(_: str, number: object) -> str:
    """A number as it is sent; `ccxt_markets.misfit` saw to it that it is on the market's grid."""
    return format(Decimal(str(number)), "f")
