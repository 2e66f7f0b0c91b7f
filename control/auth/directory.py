"""Accounts and live sessions in memory, as they are in the database after each change."""

import asyncio
from collections.abc import Callable

from actors.persistence.accounts import Account
from actors.persistence.identities import IdentityChange, open_identities, store_change
from actors.persistence.sessions import Session
from control.store import ControlStore

# The trail keeps who signed in; the table of sessions need not.
FORGET_MS = 30 * 86_400_000


class Directory:
    """The only one that changes accounts and sessions: one change after another, stored, then known."""

    def __init__(
        self,
        store: ControlStore,
        accounts: list[Account],
        sessions: list[Session],
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._accounts = {account.name: account for account in accounts}
        self._sessions = {session.id: session for session in sessions}
        self._one_at_a_time = asyncio.Lock()
        self._under_way: set[asyncio.Task[IdentityChange]] = set()

    @classmethod
    async def open(cls, store: ControlStore, now_ms: Callable[[], int]) -> "Directory":
        """Read what is stored; sessions that ended a month ago are forgotten."""
        now = now_ms()
        accounts, sessions = await store.perform(open_identities, now, now - FORGET_MS)
        return cls(store, accounts, sessions, now_ms)

    def accounts(self) -> list[Account]:
        """Every account, by name."""
        return [self._accounts[name] for name in sorted(self._accounts)]

    def account(self, name: str) -> Account | None:
        """An account by its name."""
        return self._accounts.get(name)

    def session(self, session_id: str) -> Session | None:
        """A session that has not ended, of an account that may sign in."""
        session = self._sessions.get(session_id)
        if session is None or session.expires_ms <= self._now_ms():
            return None
        account = self._accounts.get(session.account)
        return None if account is None or account.disabled else session

    def sessions(self, account: str = "") -> list[Session]:
        """The sessions that are kept in memory, of one account or of all; some may have run out."""
        return [each for each in self._sessions.values() if account in ("", each.account)]

    async def change(self, decide: Callable[[], IdentityChange]) -> IdentityChange:
        """Change what `decide` says when its turn has come. It ends even when its caller goes away.

        Raises what `decide` raises, and OperationError when it could not be stored: then nothing is changed.
        """
        task = asyncio.ensure_future(self._change(decide))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _change(self, decide: Callable[[], IdentityChange]) -> IdentityChange:
        async with self._one_at_a_time:
            change = decide()
            await self._store.perform(store_change, change, self._now_ms())
            self._accounts.update({account.name: account for account in change.accounts})
            self._sessions.update({session.id: session for session in change.sessions})
            for name in change.removed:
                self._accounts.pop(name, None)
            for session_id in change.ended:
                self._sessions.pop(session_id, None)
            return change
