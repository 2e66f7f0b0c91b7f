"""The exchange's time: what it told last and what has passed since; this machine's clock may be wrong."""

import time

RATE_TOLERANCE = 0.2
SHORTEST_SPAN_MS = 200


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class ServerClock:
    """Milliseconds UTC at the exchange; the machine's own until the exchange told its time.

    An exchange whose clock runs at another speed than ours (a market that is played faster) is followed at
    its speed once two spans agree on it; a clock that was merely set is not.
    """

    def __init__(self) -> None:
        self.known = False
        self._server_ms, self._here_ms = _wall_ms(), _monotonic_ms()
        self._rate = 1.0
        self._last_rate: float | None = None

    def now_ms(self) -> int:
        """The time at the exchange now."""
        return self._server_ms + round((_monotonic_ms() - self._here_ms) * self._rate)

    def told(self, server_ms: int, asked_ms: int) -> None:
        """The exchange told its time just now, asked at `asked_ms` of the monotonic clock."""
        here_ms = (asked_ms + _monotonic_ms()) // 2
        span_ms = here_ms - self._here_ms
        if self.known and span_ms >= SHORTEST_SPAN_MS:
            self._learn((server_ms - self._server_ms) / span_ms)
        elif self.known and self._rate != 1.0:
            return
        self.known, self._server_ms, self._here_ms = True, server_ms, here_ms

    def _learn(self, rate: float) -> None:
        agreed = self._last_rate is not None and abs(rate - self._last_rate) <= RATE_TOLERANCE * max(rate, 1)
        odd = rate >= 0 and abs(rate - 1) > RATE_TOLERANCE
        self._rate, self._last_rate = rate if agreed and odd else 1.0, rate
