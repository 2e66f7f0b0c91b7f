"""How long something took, lately: the newest 1,000 times, in bounded memory."""

from collections import deque

KEPT = 1_000


class Latency:
    """Times in milliseconds; `facts` gives their median and 99th percentile for an actor's health."""

    def __init__(self) -> None:
        self._newest_ms: deque[float] = deque(maxlen=KEPT)

    def add(self, seconds: float) -> None:
        """Take in one time."""
        self._newest_ms.append(1000 * seconds)

    def facts(self) -> dict[str, float]:
        """`latency_p50_ms` and `latency_p99_ms`, of the values that were seen; empty before the first."""
        if not self._newest_ms:
            return {}
        times = sorted(self._newest_ms)
        last = len(times) - 1
        return {"latency_p50_ms": times[round(0.5 * last)], "latency_p99_ms": times[round(0.99 * last)]}
