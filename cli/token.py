"""`autotrader token`."""

import sys
from typing import TYPE_CHECKING

from cli.options import ConfigOption, JsonOption, VerboseOption
from cli.remote import TargetOption, TlsCaOption, UserOption
from trading.errors import InputError

if TYPE_CHECKING:
    from autotrader.v1 import session_pb2
    from tui.client import Client


def command(
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Print an access token for another program: of the owner of this machine, or of an account."""
    from cli.output import print_json
    from cli.remote import facts, with_engine

    async def act(client: "Client") -> "session_pb2.Tokens":
        return await (_owners(client) if user is None else _of_account(client, user))

    tokens = with_engine(act, config, target, tls_ca)
    ends = tokens.access_expires_at.ToJsonString()
    if as_json:
        print_json({"access_token": tokens.access_token, "expires_at": ends, "caller": facts(tokens.caller)})
    else:
        print(tokens.access_token)
    print(f"of {tokens.caller.name}; it ends at {ends}", file=sys.stderr)


async def _owners(client: "Client") -> "session_pb2.Tokens":
    from autotrader.v1 import session_pb2

    credential = client.target.credential()
    if credential is None:
        raise InputError(
            f"no engine of yours runs on this machine at {client.target.address}: name an account with --user"
        )
    request = session_pb2.SignInLocallyRequest(secret=credential.secret)
    return (await client.sessions.SignInLocally(request)).tokens


async def _of_account(client: "Client", name: str) -> "session_pb2.Tokens":
    from autotrader.v1 import session_pb2
    from cli.remote import sign_in_password

    request = session_pb2.SignInRequest(name=name, password=sign_in_password(name), client="autotrader token")
    return (await client.sessions.SignIn(request)).tokens
