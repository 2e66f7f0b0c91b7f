"""Passwords: hashed with argon2id, a few at a time, never on the event loop."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from control.faults import exhausted, invalid

LEAST_CHARACTERS, MOST_CHARACTERS = 12, 1024
AT_ONCE, MOST_WAITING = 2, 16
# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, 2 passes, 1 lane.
_MEMORY_KIB, _PASSES, _LANES = 19_456, 2, 1

Got = TypeVar("Got")


class Passwords:
    """Hashes and verifies: two at once, sixteen more wait; others are refused (RESOURCE_EXHAUSTED)."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._busy = 0
        # An unknown name is compared with this one, so that it takes as long as a known one.
        self._nobodys = self._hasher.hash("the password of nobody")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._in_thread(lambda: self._hasher.hash(normalised(password)))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether it is the password of this hash; of None it never is, and that takes as long."""
        found = await self._in_thread(lambda: self._verify(stored or self._nobodys, normalised(password)))
        return found and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], Got]) -> Got:
        if self._busy >= AT_ONCE + MOST_WAITING:
            raise exhausted("TOO_MANY_SIGN_INS", "too many sign-ins at once; wait 1 second and try again")
        self._busy += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # A caller who goes away keeps their place in the queue until the work is done.
        done.add_done_callback(self._free)
        return await asyncio.shield(done)

    def _free(self, _done: "asyncio.Future[Got]") -> None:
        self._busy -= 1


def normalised(password: str) -> str:
    """The same text for the same keys on every keyboard: Unicode NFKC (RFC 8265 asks for such a form)."""
    return unicodedata.normalize("NFKC", password)


def check_new_password(password: str, field: str) -> None:
    """Raise Fault INVALID_ARGUMENT, naming the field, for a password that nobody should have."""
    length = len(normalised(password))
    if not LEAST_CHARACTERS <= length <= MOST_CHARACTERS:
        raise invalid(
            field, f"must have {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, this has {length}"
        )
