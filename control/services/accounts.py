"""AccountService: who may sign in."""

from collections.abc import Callable
from typing import Any

from actors.persistence.accounts import Account
from autotrader.v1 import account_pb2, account_pb2_grpc, common_pb2
from control.auth.identity import Identity
from control.auth.roles import ROLES, role_name
from control.caller import acting
from control.calls import Context
from control.faults import invalid
from control.rows import timestamp

ADMIN = "admin"
CHANGEABLE = ("role", "disabled", "password")


class AccountServicer(account_pb2_grpc.AccountServiceServicer):
    """What the identity's accounts answer, as messages."""

    def __init__(self, identity: Identity, now_ms: Callable[[], int]) -> None:
        self._identity = identity
        self._accounts = identity.accounts
        self._now_ms = now_ms

    async def ListAccounts(
        self, request: account_pb2.ListAccountsRequest, context: Context
    ) -> account_pb2.ListAccountsResponse:
        """Every account."""
        return account_pb2.ListAccountsResponse(accounts=map(_message, self._accounts.all()))

    async def CreateAccount(
        self, request: account_pb2.CreateAccountRequest, context: Context
    ) -> account_pb2.CreateAccountResponse:
        """Make an account."""
        act, role = acting(), role_name(request.role, "role")
        if role == ADMIN:
            await self._identity.reauthenticate(act.caller, request.reauthentication)
        account = await self._accounts.create(request.name, role, request.password, act.again)
        act.after = _facts(account)
        result = self._done(f"account {account.name} is made, with the role {role}")
        return account_pb2.CreateAccountResponse(result=result, account=_message(account))

    async def UpdateAccount(
        self, request: account_pb2.UpdateAccountRequest, context: Context
    ) -> account_pb2.UpdateAccountResponse:
        """Change an account."""
        act, changes = acting(), _changes(request)
        if "password" in changes or changes.get("role") == ADMIN:
            await self._identity.reauthenticate(act.caller, request.reauthentication)
        before, after = await self._accounts.update(request.name, **changes)
        new_password = {"password": "changed"} if "password" in changes else {}
        act.before, act.after = _facts(before), {**_facts(after), **new_password}
        result = self._done(f"account {after.name} is changed ({', '.join(changes)}); its sessions are ended")
        return account_pb2.UpdateAccountResponse(result=result, account=_message(after))

    async def DeleteAccount(
        self, request: account_pb2.DeleteAccountRequest, context: Context
    ) -> account_pb2.DeleteAccountResponse:
        """Remove an account."""
        act = acting()
        account = await self._accounts.remove(request.name, act.again)
        act.before = None if account is None else _facts(account)
        result = self._done(f"account {request.name} is removed; its sessions are ended")
        return account_pb2.DeleteAccountResponse(result=result)

    async def ChangePassword(
        self, request: account_pb2.ChangePasswordRequest, context: Context
    ) -> account_pb2.ChangePasswordResponse:
        """Change the caller's password."""
        act = acting()
        await self._accounts.change_password(
            act.caller, request.old_password, request.new_password, act.again
        )
        act.after = {"password": "changed"}
        result = self._done("the password is changed; the other sessions are ended")
        return account_pb2.ChangePasswordResponse(result=result)

    def _done(self, message: str) -> common_pb2.CommandResult:
        return common_pb2.CommandResult(message=message, time=timestamp(self._now_ms()))


def _changes(request: account_pb2.UpdateAccountRequest) -> dict[str, Any]:
    paths = request.update_mask.paths
    unknown = next((path for path in paths if path not in CHANGEABLE), None)
    if unknown is not None or not paths:
        found = "is empty" if unknown is None else f"{unknown!r} cannot be changed"
        raise invalid("update_mask", f"{found}; allowed: {', '.join(CHANGEABLE)}")
    changes = {path: getattr(request.change, path) for path in CHANGEABLE if path in paths}
    if "role" in changes:
        changes["role"] = role_name(changes["role"], "change.role")
    return changes


def _message(account: Account) -> account_pb2.Account:
    signed_in_ms = account.signed_in_ms
    return account_pb2.Account(
        name=account.name,
        role=ROLES[account.role],
        disabled=account.disabled,
        created_at=timestamp(account.created_ms),
        signed_in_at=None if signed_in_ms is None else timestamp(signed_in_ms),
    )


def _facts(account: Account) -> dict[str, Any]:
    return {"name": account.name, "role": account.role, "disabled": account.disabled}
