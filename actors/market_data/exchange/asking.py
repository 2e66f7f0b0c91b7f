"""Asking an exchange for public data: at its pace, patient with faults, silent when it bans us."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

from actors.exchange_client import ccxt_errors, retry_after_ms
from trading.errors import AutotraderError, OperationError

REQUEST_SECONDS = 6.0
# Of the weight that an exchange allows in a minute; the rest is for orders.
WEIGHT_PART = 0.7
_FULL_PAUSE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 10.0
_LIMITED_PAUSE_SECONDS, _BANNED_PAUSE_SECONDS = 5.0, 60.0
_MOST_LETTERS = 160

Answered = TypeVar("Answered")


class Unanswered(OperationError):
    """The exchange gave no answer that can be used; it may give one later."""


class Asking:
    """Asks one client's questions; after a fault nothing is asked for a while.

    The pause grows with each fault, cut by chance so that many clients do not come back together; where the
    exchange names a time, it is that. `monotonic` is in seconds, `wall_ms` in ms UTC.
    """

    def __init__(
        self, client: Any, monotonic: Callable[[], float], wall_ms: Callable[[], int], random: Random
    ) -> None:
        self.client = client
        self.weight_used: int | None = None
        self.last_error = ""
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._random = random
        self._faults = 0
        self._silent_until = 0.0

    @property
    def silent_seconds(self) -> float:
        """How long nothing is asked yet."""
        return max(0.0, self._silent_until - self._monotonic())

    async def ask(self, question: Callable[[], Awaitable[Answered]]) -> Answered:
        """The answer. Raises Unanswered after a fault and while nothing is asked, and ccxt's BadSymbol for a
        symbol that the exchange does not know."""
        if self.silent_seconds:
            raise Unanswered(f"nothing is asked for {self.silent_seconds:.1f} s: {self.last_error}")
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await question()
        except AutotraderError:
            raise
        except Exception as error:
            self._bear(error)
            raise Unanswered(f"{self.client.id}: {self.last_error}") from None
        self._faults, self.last_error = 0, ""
        self._count_weight()
        return answer

    async def ask_patiently(self, question: Callable[[], Awaitable[Answered]]) -> Answered:
        """The answer, however long it takes."""
        while True:
            try:
                return await self.ask(question)
            except Unanswered:
                await asyncio.sleep(max(0.05, self.silent_seconds))

    def _bear(self, error: Exception) -> None:
        """Note a fault and how long to be silent; raises what no patience mends."""
        errors = ccxt_errors()
        if isinstance(error, errors.BadSymbol):
            raise error
        self.last_error = short(error)
        self._faults += 1
        pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(self._faults, 10), _LONGEST_PAUSE_SECONDS)
        pause *= self._random.uniform(0.5, 1.0)
        if isinstance(error, errors.DDoSProtection | errors.RateLimitExceeded):
            asked = retry_after_ms(self.client, self._wall_ms()) / 1000
            banned = " 418 " in str(error)
            usual = _BANNED_PAUSE_SECONDS if banned else _LIMITED_PAUSE_SECONDS
            pause = max(pause, asked + self._random.uniform(0.0, 0.5) if asked else usual)
        self._silent_until = max(self._silent_until, self._monotonic() + pause)

    def _count_weight(self) -> None:
        """Be silent for a while when the minute's weight is nearly used, by whomever at this address."""
        headers = {name.lower(): each for name, each in (self.client.last_response_headers or {}).items()}
        text = str(headers.get("x-mbx-used-weight-1m", ""))
        if not (text.isascii() and text.isdecimal()):
            return
        self.weight_used = int(text)
        if self.weight_used > WEIGHT_PART * 60_000 / (self.client.rateLimit or 50):
            self.last_error = f"{self.weight_used} of the minute's request weight are used"
            self._silent_until = max(self._silent_until, self._monotonic() + _FULL_PAUSE_SECONDS)


def short(error: BaseException) -> str:
    """An error on one line, of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "..."


class ServerClock:
    """The exchange's time: what it told last, and what has passed here since; until then our own."""

    def __init__(self, asking: Asking, monotonic: Callable[[], float], wall_ms: Callable[[], int]) -> None:
        self._asking = asking
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._server_ms = wall_ms()
        self._at = self.asked_at = monotonic()

    def now_ms(self) -> int:
        """The exchange's time in ms UTC."""
        return self._server_ms + round(1000 * (self._monotonic() - self._at))

    def ahead_ms(self) -> int:
        """How far the exchange's time is ahead of our wall clock."""
        return self.now_ms() - self._wall_ms()

    async def refresh(self) -> None:
        """Ask the exchange for its time. Raises Unanswered."""
        self.asked_at = self._monotonic()
        if not self._asking.client.has.get("fetchTime"):
            self._server_ms, self._at = self._wall_ms(), self._monotonic()
            return
        server_ms = await self._asking.ask(self._asking.client.fetch_time)
        if not isinstance(server_ms, int) or server_ms <= 0:
            raise Unanswered(f"{self._asking.client.id}: its time is {server_ms!r}")
        self._server_ms, self._at = server_ms, (self.asked_at + self._monotonic()) / 2
