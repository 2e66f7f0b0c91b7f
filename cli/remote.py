"""Speaking to a running engine: where it is, who asks, and its refusals as errors of the command line."""

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from trading.errors import AutotraderError, InputError, OperationError

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tui.client import Client, ClientError

Got = TypeVar("Got")

PASSWORD_VARIABLE = "AUTOTRADER_PASSWORD"
MOST_CHARACTERS = 4096


class EngineAway(OperationError):
    """No engine is there; nothing was sent."""


TargetOption = Annotated[
    str | None, typer.Option("--target", metavar="HOST:PORT", help="The engine [control.listen].")
]
TlsCaOption = Annotated[
    Path | None, typer.Option("--tls-ca", metavar="FILE", help="The authority that the engine's TLS trusts.")
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Sign in with this account's password.")
]


def with_engine(
    act: "Callable[[Client], Awaitable[Got]]",
    config: Path | None,
    target: str | None = None,
    tls_ca: Path | None = None,
    user: str | None = None,
) -> Got:
    """What `act` gives, asked of the engine at `target`, else at the settings' `control.listen`.

    It is asked as the owner of this machine (the credential file), with the token in AUTOTRADER_TOKEN, or as
    `user`, whose session ends with it. Raises InputError or OperationError, one sentence.
    """
    from cli.listening import changed_address, engine_address
    from tui.client import NoEngine, connect
    from tui.client.target import DEFAULT

    listen = "" if target else engine_address(config)
    password = "" if user is None else sign_in_password(user)

    async def run(listen: str) -> Got:
        async with (
            connect(target, listen=listen, tls_ca=str(tls_ca or "")) as client,
            signed_in(client, user, password),
        ):
            return await act(client)

    with client_errors():
        try:
            return asyncio.run(run(listen))
        except NoEngine:
            changed = "" if target else changed_address(config)
            if changed in ("", listen, DEFAULT) or changed.endswith(":0"):
                raise
            return asyncio.run(run(changed))


@asynccontextmanager
async def signed_in(client: "Client", user: str | None, password: str) -> AsyncIterator[None]:
    """A session of `user`, if one is named, that ends with the block."""
    from tui.client import ClientError

    if user is None:
        yield
        return
    await client.sign_in(user, password)
    try:
        yield
    finally:
        with suppress(ClientError):
            await client.sign_out()


def engine_may_run(config: Path | None, target: str | None = None, user: str | None = None) -> bool:
    """Whether an engine is named, or one of this machine's owner says that it runs. Nothing is asked."""
    from cli.listening import engine_address
    from tui.client import find_target
    from tui.client.client import TOKEN_VARIABLE

    if target or user or os.environ.get(TOKEN_VARIABLE):
        return True
    with client_errors():
        try:
            return find_target(listen=engine_address(config)).credential() is not None
        except OperationError:
            return False


@contextmanager
def client_errors() -> Iterator[None]:
    """Errors of the client become those of the command line."""
    from tui.client import ClientError

    try:
        yield
    except ClientError as error:
        raise _error_of(error) from None


def sign_in_password(name: str) -> str:
    """The password to sign in with: of AUTOTRADER_PASSWORD, else asked for on the terminal."""
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        raise InputError(
            f"--user: there is no terminal to ask for the password; put it into {PASSWORD_VARIABLE}"
        )
    return _asked(f"password of {name}: ")


def new_password(name: str) -> str:
    """A new password: asked for twice on a terminal, else the first line of stdin."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline(MOST_CHARACTERS).rstrip("\r\n")
        if not line:
            raise InputError("password: stdin holds none; give it as one line")
        return line
    password = _asked(f"new password of {name}: ")
    if _asked("once more: ") != password:
        raise InputError("password: the two differ; nothing was changed")
    return password


def facts(message: "Message") -> dict[str, Any]:
    """A message as the JSON of the contract, with every field by its own name."""
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _asked(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise InputError("password: none was given; nothing was changed") from None


def _error_of(error: "ClientError") -> AutotraderError:
    """The world's faults end with 1, those of the input with 2."""
    import grpc

    from tui.client import ControlError, NoEngine, SignInNeeded, Unreachable

    sentence = str(error)
    if isinstance(error, SignInNeeded):
        return InputError(f"{sentence}; --user NAME signs in with a password")
    if isinstance(error, NoEngine):
        return EngineAway(sentence)
    if isinstance(error, Unreachable):
        return OperationError(sentence)
    if isinstance(error, ControlError) and error.code not in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    ):
        return OperationError(sentence)
    return InputError(sentence)
