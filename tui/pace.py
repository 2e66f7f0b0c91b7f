"""At once, but not too often."""

from collections.abc import Callable
from time import monotonic

from textual.message_pump import MessagePump


class Pace:
    """Calls `action` when asked: at once after a rest, else when `seconds` have passed since the last call.

    However often it is asked in between, it is called once.
    """

    def __init__(self, owner: MessagePump, seconds: float, action: Callable[[], object]) -> None:
        self._owner = owner
        self._seconds = seconds
        self._action = action
        self._last = float("-inf")
        self._planned = False

    def ask(self) -> None:
        """Have the action called soon."""
        if self._planned:
            return
        self._planned = True
        left = self._last + self._seconds - monotonic()
        if left > 0:
            self._owner.set_timer(left, self._call)
        else:
            self._call()

    def _call(self) -> None:
        self._planned = False
        self._last = monotonic()
        self._action()
