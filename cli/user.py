"""`autotrader user add|list|role|password|disable|enable|remove`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, VerboseOption, group
from cli.remote import TargetOption, TlsCaOption, UserOption
from trading.errors import InputError, suggestion

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from autotrader.v1 import access_pb2, account_pb2
    from tui.client import Client

command = group("Accounts of the control plane: who may sign in, and as what.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account.")]


@command.command()
def add(
    name: NameArgument,
    role: Annotated[str, typer.Option(metavar="ROLE", help="viewer, operator or admin.")],
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make an account; its password is asked for, or read from stdin."""
    from autotrader.v1 import account_pb2
    from cli.remote import new_password, with_engine
    from tui.client import request_id

    number = _role(role, "--role")
    request = account_pb2.CreateAccountRequest(
        request_id=request_id(), name=name, role=number, password=new_password(name)
    )

    async def act(client: "Client") -> account_pb2.CreateAccountResponse:
        return await client.accounts.CreateAccount(request)

    answer = with_engine(act, config, target, tls_ca, user)
    _tell(answer, answer.result.message, as_json)


@command.command("list")
def list_(
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List the accounts."""
    from autotrader.v1 import account_pb2
    from cli.output import print_json, print_table
    from cli.remote import facts, with_engine

    async def act(client: "Client") -> account_pb2.ListAccountsResponse:
        return await client.accounts.ListAccounts(account_pb2.ListAccountsRequest())

    answer = with_engine(act, config, target, tls_ca, user)
    if as_json:
        print_json(facts(answer))
    elif answer.accounts:
        columns = ("name", "role", "state", "made", "last signed in")
        print_table("", columns, map(_row, answer.accounts))
    else:
        print("there is no account yet; `autotrader user add NAME --role ROLE` makes one")


@command.command()
def role(
    name: NameArgument,
    new_role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, operator or admin.")],
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Give an account another role; its sessions end."""
    from autotrader.v1 import account_pb2

    change = account_pb2.AccountChange(role=_role(new_role, "ROLE"))
    _update(name, change, "role", (config, target, tls_ca, user), as_json)


@command.command()
def password(
    name: NameArgument,
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Give an account another password, asked for or read from stdin; its sessions end."""
    from autotrader.v1 import account_pb2
    from cli.remote import new_password

    change = account_pb2.AccountChange(password=new_password(name))
    _update(name, change, "password", (config, target, tls_ca, user), as_json)


@command.command()
def disable(
    name: NameArgument,
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Keep an account from signing in; its sessions end."""
    from autotrader.v1 import account_pb2

    change = account_pb2.AccountChange(disabled=True)
    _update(name, change, "disabled", (config, target, tls_ca, user), as_json)


@command.command()
def enable(
    name: NameArgument,
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Let an account sign in again."""
    from autotrader.v1 import account_pb2

    change = account_pb2.AccountChange(disabled=False)
    _update(name, change, "disabled", (config, target, tls_ca, user), as_json)


@command.command()
def remove(
    name: NameArgument,
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Remove an account; its sessions end."""
    from autotrader.v1 import account_pb2
    from cli.remote import with_engine
    from tui.client import request_id

    request = account_pb2.DeleteAccountRequest(request_id=request_id(), name=name)

    async def act(client: "Client") -> account_pb2.DeleteAccountResponse:
        return await client.accounts.DeleteAccount(request)

    answer = with_engine(act, config, target, tls_ca, user)
    _tell(answer, answer.result.message, as_json)


def _update(
    name: str,
    change: "account_pb2.AccountChange",
    path: str,
    where: tuple[Path | None, str | None, Path | None, str | None],
    as_json: bool,
) -> None:
    from google.protobuf.field_mask_pb2 import FieldMask

    from autotrader.v1 import account_pb2
    from cli.remote import with_engine
    from tui.client import request_id

    request = account_pb2.UpdateAccountRequest(
        request_id=request_id(), name=name, change=change, update_mask=FieldMask(paths=[path])
    )

    async def act(client: "Client") -> account_pb2.UpdateAccountResponse:
        return await client.accounts.UpdateAccount(request)

    answer = with_engine(act, *where)
    _tell(answer, answer.result.message, as_json)


def _tell(answer: "Message", sentence: str, as_json: bool) -> None:
    from cli.output import print_json
    from cli.remote import facts
    from control.faults import printable

    if as_json:
        print_json(facts(answer))
    else:
        print(printable(sentence))


def _role(name: str, where: str) -> "access_pb2.Role.ValueType":
    from control.auth.roles import ROLES

    if name not in ROLES:
        raise InputError(f"{where}: there is no role {name!r}; {suggestion(name, ROLES)}")
    return ROLES[name]


def _row(account: "account_pb2.Account") -> tuple[str, ...]:
    from control.auth.roles import ROLES
    from control.faults import printable

    names = {number: name for name, number in ROLES.items()}
    signed_in = account.signed_in_at.ToJsonString() if account.HasField("signed_in_at") else "never"
    return (
        printable(account.name),
        names.get(account.role, "unknown"),
        "disabled" if account.disabled else "",
        account.created_at.ToJsonString(),
        signed_in,
    )
