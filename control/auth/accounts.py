"""Accounts: made, changed and removed by admins; each person changes their own password."""

import re
from collections.abc import Callable

from msgspec.structs import replace

from actors.persistence.accounts import Account
from actors.persistence.identities import IdentityChange
from control.auth.directory import Directory
from control.auth.passwords import Passwords, check_new_password
from control.auth.proof import Proof
from control.caller import LOCAL, Caller
from control.faults import denied, exhausted, exists, invalid, not_found, precondition

MOST_ACCOUNTS = 1_000
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,63}")


class Accounts:
    """The accounts of an engine, at most 1,000. Any change of one ends its sessions."""

    def __init__(
        self, directory: Directory, passwords: Passwords, proof: Proof, now_ms: Callable[[], int]
    ) -> None:
        self._directory = directory
        self._passwords = passwords
        self._proof = proof
        self._now_ms = now_ms

    def all(self) -> list[Account]:
        """Every account, by name."""
        return self._directory.accounts()

    async def create(self, name: str, role: str, password: str, again: bool = False) -> Account:
        """Make an account, unless it was made before (`again`).

        Raises Fault ALREADY_EXISTS, INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
        """
        check_name(name)
        check_new_password(password, "password")
        made = self._directory.account(name)
        if again and made is not None and made.role == role:
            return made
        self._require_free(name)
        hashed = await self._passwords.hash(password)

        def decide() -> IdentityChange:
            self._require_free(name)
            return IdentityChange(accounts=(Account(name, role, hashed, False, self._now_ms()),))

        return (await self._directory.change(decide)).accounts[0]

    async def update(
        self, name: str, role: str | None = None, disabled: bool | None = None, password: str | None = None
    ) -> tuple[Account, Account]:
        """Change what is not None, and end the account's sessions; the account before and after.

        Raises Fault NOT_FOUND, INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
        """
        self._known(name)
        hashed = None
        if password is not None:
            check_new_password(password, "change.password")
            hashed = await self._passwords.hash(password)
        before = self._known(name)

        def decide() -> IdentityChange:
            nonlocal before
            before = self._known(name)
            after = replace(
                before,
                role=before.role if role is None else role,
                disabled=before.disabled if disabled is None else disabled,
                password_hash=before.password_hash if hashed is None else hashed,
            )
            return IdentityChange(accounts=(after,), ended=self._sessions_of(name))

        change = await self._directory.change(decide)
        return before, change.accounts[0]

    async def remove(self, name: str, again: bool = False) -> Account | None:
        """Remove an account and end its sessions; the account as it was, None when this was done before
        (`again`). Raises Fault NOT_FOUND."""
        if again and self._directory.account(name) is None:
            return None
        before = self._known(name)

        def decide() -> IdentityChange:
            self._known(name)
            return IdentityChange(removed=(name,), ended=self._sessions_of(name))

        await self._directory.change(decide)
        return before

    async def change_password(self, caller: Caller, old: str, new: str, again: bool = False) -> None:
        """Change the caller's own password, unless it was done before (`again`); their other sessions end.

        Raises Fault PERMISSION_DENIED when the old one is wrong, FAILED_PRECONDITION for the owner on this
        machine, who has none, and RESOURCE_EXHAUSTED after several failures.
        """
        if caller.local:
            raise precondition("NO_PASSWORD", "the owner on this machine signs in without a password")
        check_new_password(new, "new_password")
        if again and await self._proof.account_of(caller.name, new, caller.address) is not None:
            return
        account = await self._proof.account_of(caller.name, old, caller.address)
        if account is None:
            raise denied("old_password: it is wrong", "REAUTHENTICATION_FAILED")
        hashed = await self._passwords.hash(new)

        def decide() -> IdentityChange:
            present = self._known(caller.name)
            if present.password_hash != account.password_hash:
                raise denied("old_password: the password was changed just now", "REAUTHENTICATION_FAILED")
            others = tuple(each for each in self._sessions_of(caller.name) if each != caller.session_id)
            return IdentityChange(accounts=(replace(present, password_hash=hashed),), ended=others)

        await self._directory.change(decide)

    def _sessions_of(self, name: str) -> tuple[str, ...]:
        return tuple(session.id for session in self._directory.sessions(name))

    def _known(self, name: str) -> Account:
        account = self._directory.account(name)
        if account is None:
            raise not_found("name", f"there is no account {name!r}")
        return account

    def _require_free(self, name: str) -> None:
        if self._directory.account(name) is not None:
            raise exists("name", f"there is an account {name!r} already")
        if len(self._directory.accounts()) >= MOST_ACCOUNTS:
            raise exhausted("TOO_MANY_ACCOUNTS", f"there are {MOST_ACCOUNTS} accounts; remove one first")


def check_name(name: str) -> None:
    """Raise Fault INVALID_ARGUMENT for a name that no account can have."""
    if name == LOCAL:
        raise invalid("name", f"{LOCAL!r} is the owner on the engine's machine; choose another name")
    if not _NAME.fullmatch(name):
        raise invalid(
            "name",
            f"{name[:64]!r} must be 1 to 64 lower-case letters, digits, '-', '_' or '.', a letter first",
        )
