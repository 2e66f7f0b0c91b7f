"""The exchange's time: what it told last and what has passed since; this machine's clock may be wrong."""

import time
from typing import NamedTuple

ODD_RATE = 1.2
SHORTEST_SPAN_MS = 200


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class _Told(NamedTuple):
    """What the exchange told, when that was here, and by how much that can be wrong."""

    server_ms: int
    here_ms: int
    error_ms: int = 0


class ServerClock:
    """Milliseconds UTC at the exchange; the machine's own until the exchange told its time.

    An exchange whose clock runs at another speed than ours (a market that is played faster) is followed at
    its speed, `rate`, once two spans agree on it; a clock that was merely set is not.
    """

    def __init__(self) -> None:
        self.known = False
        self.rate = 1.0
        self._newest = _Told(_wall_ms(), _monotonic_ms())
        self._before: _Told | None = None

    def now_ms(self) -> int:
        """The time at the exchange now."""
        return self._newest.server_ms + round((_monotonic_ms() - self._newest.here_ms) * self.rate)

    def told(self, server_ms: int, asked_ms: int) -> None:
        """The exchange told its time just now, asked at `asked_ms` of the monotonic clock."""
        now_ms = _monotonic_ms()
        told = _Told(server_ms, (asked_ms + now_ms) // 2, (now_ms - asked_ms) // 2 + 1)
        if self.known and told.here_ms - self._newest.here_ms < SHORTEST_SPAN_MS:
            if self.rate == 1.0:
                self._newest = told
            return
        if self._before is not None:
            self.rate = _rate(self._before, self._newest, told)
        self._before = self._newest if self.known else None
        self.known, self._newest = True, told


def _rate(first: _Told, middle: _Told, last: _Told) -> float:
    """The speed that both spans can have had; 1 when there is none, or when it is nearly 1."""
    (low, high), (lower, higher) = _bounds(first, middle), _bounds(middle, last)
    rate = (last.server_ms - first.server_ms) / max(last.here_ms - first.here_ms, 1)
    agreed = max(low, lower) <= min(high, higher)
    return rate if agreed and (rate > ODD_RATE or 0 <= rate < 1 / ODD_RATE) else 1.0


def _bounds(first: _Told, last: _Told) -> tuple[float, float]:
    """The slowest and the fastest that a clock can have run between two times."""
    passed_ms, error_ms = last.here_ms - first.here_ms, first.error_ms + last.error_ms
    server_ms = last.server_ms - first.server_ms
    return server_ms / (passed_ms + error_ms), server_ms / max(passed_ms - error_ms, 1)
