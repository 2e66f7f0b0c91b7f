"""`autotrader user add|list|role|password|disable|enable|remove`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command
from cli.options import group
from trading.errors import InputError, suggestion

if TYPE_CHECKING:
    from autotrader.v1 import access_pb2, account_pb2

command = group("Accounts of the control plane: who may sign in, and as what.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account.")]


@command.command()
@engine_command()
async def add(
    shell: Shell,
    name: NameArgument,
    role: Annotated[str, typer.Option(metavar="ROLE", help="viewer, operator or admin.")],
) -> None:
    """Make an account; its password is asked for, or read from stdin."""
    from autotrader.v1 import account_pb2
    from cli.remote import new_password

    number = _role(role, "--role")
    request = account_pb2.CreateAccountRequest(
        name=name, role=number, password=new_password(name), reauthentication=await shell.proof()
    )
    shell.told(await shell.give(shell.client.accounts.CreateAccount, request))


@command.command("list")
@engine_command()
async def list_(shell: Shell) -> None:
    """List the accounts."""
    from autotrader.v1 import account_pb2
    from cli.output import print_table

    answer = await shell.client.accounts.ListAccounts(account_pb2.ListAccountsRequest())
    shell.document(answer)
    if shell.as_json:
        return
    if answer.accounts:
        columns = ("name", "role", "state", "made", "last signed in")
        print_table("", columns, map(_row, answer.accounts))
    else:
        shell.say("there is no account yet; `autotrader user add NAME --role ROLE` makes one")


@command.command()
@engine_command()
async def role(
    shell: Shell,
    name: NameArgument,
    new_role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, operator or admin.")],
) -> None:
    """Give an account another role; its sessions end."""
    from autotrader.v1 import account_pb2

    await _update(shell, name, "role", account_pb2.AccountChange(role=_role(new_role, "ROLE")))


@command.command()
@engine_command()
async def password(shell: Shell, name: NameArgument) -> None:
    """Give an account another password, asked for or read from stdin; its sessions end."""
    from autotrader.v1 import account_pb2
    from cli.remote import new_password

    await _update(shell, name, "password", account_pb2.AccountChange(password=new_password(name)))


@command.command()
@engine_command()
async def disable(shell: Shell, name: NameArgument) -> None:
    """Keep an account from signing in; its sessions end."""
    from autotrader.v1 import account_pb2

    await _update(shell, name, "disabled", account_pb2.AccountChange(disabled=True))


@command.command()
@engine_command()
async def enable(shell: Shell, name: NameArgument) -> None:
    """Let an account sign in again."""
    from autotrader.v1 import account_pb2

    await _update(shell, name, "disabled", account_pb2.AccountChange(disabled=False))


@command.command()
@engine_command()
async def remove(shell: Shell, name: NameArgument) -> None:
    """Remove an account; its sessions end."""
    from autotrader.v1 import account_pb2

    request = account_pb2.DeleteAccountRequest(name=name)
    shell.told(await shell.give(shell.client.accounts.DeleteAccount, request))


async def _update(shell: Shell, name: str, path: str, change: "account_pb2.AccountChange") -> None:
    from google.protobuf.field_mask_pb2 import FieldMask

    from autotrader.v1 import account_pb2

    mask, proof = FieldMask(paths=[path]), await shell.proof()
    request = account_pb2.UpdateAccountRequest(
        name=name, change=change, update_mask=mask, reauthentication=proof
    )
    shell.told(await shell.give(shell.client.accounts.UpdateAccount, request))


def _role(name: str, where: str) -> "access_pb2.Role.ValueType":
    from control.auth.roles import ROLES

    if name not in ROLES:
        raise InputError(f"{where}: there is no role {name!r}; {suggestion(name, ROLES)}")
    return ROLES[name]


def _row(account: "account_pb2.Account") -> tuple[str, ...]:
    from control.auth.roles import ROLES

    names = {number: name for name, number in ROLES.items()}
    signed_in = account.signed_in_at.ToJsonString() if account.HasField("signed_in_at") else "never"
    return (
        account.name,
        names.get(account.role, "unknown"),
        "disabled" if account.disabled else "",
        account.created_at.ToJsonString(),
        signed_in,
    )
