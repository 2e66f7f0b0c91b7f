"""The exchange's clock as it is known here: its newest time, plus what has passed since."""

import time
from collections.abc import Callable

LATE_MS = 5_000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class ExchangeClock:
    """Until the exchange told its time, it is that of this machine.

    The clock of a machine may be wrong or be set while we run; a steady one measures what passes.
    """

    def __init__(
        self, wall_ms: Callable[[], int] = _wall_ms, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._steady = steady
        self._base_ms = wall_ms()
        self._base_at = steady()
        self._told = False

    def observe(self, exchange_ms: int) -> None:
        """The exchange says that it is at least this late; what is a little old came late, no more."""
        behind_ms = self.now_ms() - exchange_ms
        if not self._told or behind_ms < 0 or behind_ms > LATE_MS:
            self._told = True
            self._base_ms, self._base_at = exchange_ms, self._steady()

    def now_ms(self) -> int:
        """The time at the exchange."""
        return self._base_ms + int(1000 * (self._steady() - self._base_at))
