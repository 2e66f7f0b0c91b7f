"""Patience with an exchange: faults of the network are tried again for a bounded time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any, TypeVar

from trading.errors import OperationError

_SHORTEST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 30.0
_MOST_LETTERS = 160

Answer = TypeVar("Answer")


class MalformedAnswer(ValueError):
    """An answer that cannot be understood; the next one may be right."""


@dataclass
class Patience:
    """How long faults are borne before one sentence ends the work.

    Waits double from half a second to half a minute, each cut by chance to at least its half, so that
    many clients do not come back together; a Retry-After header makes them longer. An exchange that has
    not answered yet gets `first_seconds`, one that has, or that names a time to wait, `later_seconds`.
    `tell` is told about every wait.
    """

    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    now_ms: Callable[[], int]
    random: Random
    tell: Callable[[str], None]
    first_seconds: float = 10.0
    later_seconds: float = 120.0
    answered: bool = False

    def ask(self, client: Any, question: Callable[[], Answer]) -> Answer:
        """The answer of a ccxt call; raises OperationError when it is refused or patience ends."""
        started, backoff = self.monotonic(), _SHORTEST_WAIT_SECONDS
        while True:
            client.last_response_headers = None
            try:
                answer = question()
            except Exception as error:
                reason = _passing_fault(client.id, error)
            else:
                self.answered = True
                return answer
            asked = self._retry_after_seconds(client.last_response_headers or {})
            wait = max(asked, backoff * self.random.uniform(0.5, 1.0))
            patience = self.later_seconds if self.answered or asked else self.first_seconds
            tried = self.monotonic() - started
            if tried + wait > patience:
                raise OperationError(self._end(client.id, reason, asked, tried))
            self.tell(f"{client.id}: {reason}; trying again in {wait:.1f} s")
            self.sleep(wait)
            backoff = min(2 * backoff, _LONGEST_WAIT_SECONDS)

    def _end(self, exchange_id: str, reason: str, asked: float, tried: float) -> str:
        how = f"given up after {tried:.0f} s; check the network"
        if asked:
            how = f"and asks to come back in {asked:.0f} s"
        kept = "; what was downloaded is kept, and the same command goes on" if self.answered else ""
        return f"{exchange_id}: {reason}, {how}{kept}"

    def _retry_after_seconds(self, headers: Any) -> float:
        """What a Retry-After header asks for, in seconds or as a date (RFC 9110, 10.2.3); 0 without one."""
        text = str(headers.get("Retry-After") or "").strip()
        if text.isdecimal():
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - self.now_ms() / 1000)


def _passing_fault(exchange_id: str, error: Exception) -> str:
    """What may be over soon, in words; raises OperationError, or the bug itself, for what will not."""
    import ccxt

    match error:
        case ccxt.RateLimitExceeded() | ccxt.DDoSProtection():
            return "it asks for fewer requests"
        case ccxt.RequestTimeout():
            return "it does not answer in time"
        case ccxt.ExchangeNotAvailable():
            return f"it is not available ({_short(error)})"
        case ccxt.NetworkError():
            return f"it cannot be reached ({_cause(error)})"
        case ccxt.OperationFailed():
            return f"it failed ({_short(error)})"
        case ccxt.BaseError():
            raise OperationError(f"{exchange_id} refuses: {_short(error)}") from None
        # Inside ccxt, an answer of another shape than the exchange's own ends in any of these.
        case AttributeError() | LookupError() | TypeError() | ValueError() | ArithmeticError():
            return f"its answer cannot be understood ({_short(error)})"
    raise error


def _cause(error: BaseException) -> str:
    """The system's own words under what ccxt, requests and urllib3 put around them."""
    for inner in (error.__cause__, getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _cause(inner)
    return _short(error)


def _short(error: object) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "..."
