"""The wall clock of the command line; the core is given its time."""

import time


def now_ms() -> int:
    """Now, in milliseconds UTC."""
    return time.time_ns() // 1_000_000
