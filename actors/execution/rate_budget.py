"""What may be asked of an exchange now: its rate limits, with a margin that polls leave to orders.

All times are milliseconds of one clock that only goes forward.
"""

from collections.abc import Mapping

USED_WEIGHT = "x-mbx-used-weight-1m"
MARGIN = 0.2
BAN_MS = 120_000
LIMITED_MS = 10_000
BAN_STATUS, LIMIT_STATUS = 418, 429
TOO_MANY_ORDERS = "-1015"


class RateBudget:
    """Holds requests back while the exchange forbids them, and polls when little weight is left.

    `weight_per_minute` is what the exchange allows; polls leave a fifth of it to orders and cancels.
    """

    def __init__(self, weight_per_minute: float) -> None:
        self._most_by_polls = weight_per_minute * (1 - MARGIN)
        self.used_weight = 0
        self._silent_until = self._no_orders_until = self._no_polls_until = 0

    def answered(
        self, status: int, headers: Mapping[str, str], code: str, asked_ms: int, now_ms: int, minute_ms: int
    ) -> None:
        """Take an answer into account.

        `asked_ms` is the wait that it asks for (0: none); the exchange's minute ends in `minute_ms`.
        """
        if status == BAN_STATUS:
            self._silent_until = max(self._silent_until, now_ms + (asked_ms or BAN_MS))
        elif status == LIMIT_STATUS and code == TOO_MANY_ORDERS:
            self._no_orders_until = max(self._no_orders_until, now_ms + (asked_ms or LIMITED_MS))
        elif status == LIMIT_STATUS:
            self._silent_until = max(self._silent_until, now_ms + (asked_ms or LIMITED_MS))
        used = next((each for name, each in headers.items() if name.lower() == USED_WEIGHT), "")
        if used.isascii() and used.isdecimal():
            self.used_weight = int(used)
            self._no_polls_until = now_ms + minute_ms if self.used_weight >= self._most_by_polls else 0

    def silent_ms(self, now_ms: int) -> int:
        """How long nothing at all may be asked."""
        return max(0, self._silent_until - now_ms)

    def wait_ms(self, now_ms: int, urgent: bool = False, order: bool = False) -> int:
        """How long a request must wait: a poll, or an `urgent` one, which a new `order` is too."""
        own_until = (self._no_orders_until if order else 0) if urgent else self._no_polls_until
        return max(self.silent_ms(now_ms), own_until - now_ms)
