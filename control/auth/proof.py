"""Whether somebody knows an account's password: slowed down, and as slow for a name that nobody has."""

from collections.abc import Callable

from actors.persistence.accounts import Account
from control.auth.directory import Directory
from control.auth.passwords import Passwords
from control.auth.throttle import Throttle
from control.faults import Fault, exhausted


class Proof:
    """The one door through which every password comes."""

    def __init__(self, directory: Directory, passwords: Passwords, now_ms: Callable[[], int]) -> None:
        self._directory = directory
        self._passwords = passwords
        self._throttle = Throttle()
        self._noted = Throttle()
        self._now_ms = now_ms

    async def account_of(self, name: str, password: str, address: str) -> Account | None:
        """The account, when this is its password and it may sign in.

        Raises Fault RESOURCE_EXHAUSTED, with the seconds to wait, after several failures.
        """
        seconds = self._throttle.begin(name, address, self._now_ms())
        if seconds:
            raise exhausted("TOO_MANY_FAILURES", f"too many failed sign-ins; wait {seconds} s and try again")
        account = self._directory.account(name)
        try:
            fits = await self._passwords.fits(password, account.password_hash if account else None)
        except Fault:
            self._throttle.untried(name, address, self._now_ms())
            raise
        if account is None or not fits or account.disabled:
            return None
        self._throttle.succeeded(name, address, self._now_ms())
        return account

    def may_note(self, name: str, address: str) -> bool:
        """Whether a failure that is not slowed down is worth an entry: a flood of them is not."""
        return self._noted.begin(name, address, self._now_ms()) == 0
