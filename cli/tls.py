"""`autotrader tls init`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, VerboseOption, group

if TYPE_CHECKING:
    from control.tls.development import Made

command = group("TLS: certificates for development.")


@command.callback()
def _tls() -> None:
    """Keeps `init` a subcommand, although it is the only one."""


@command.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write.")] = Path("tls"),
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name or address of this machine for others; may be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make a certificate authority, and certificates for the server and for a client."""
    from cli.clock import now_ms
    from cli.output import print_json
    from control.tls.development import make_certificates

    made = make_certificates(folder, host or [], now_ms(), force)
    if as_json:
        from msgspec import structs

        print_json(structs.asdict(made))
    else:
        print(_advice(made))


def _advice(made: "Made") -> str:
    """What to do with the files."""
    server, key, ca = (file.resolve() for file in (made.server, made.server_key, made.ca))
    return f"""\
wrote {made.ca.parent}: a certificate authority, and certificates for the server and for a client
the server's certificate is for {", ".join(made.hosts)}

In autotrader.toml:

  [control]
  tls_cert = "{server}"
  tls_key = "{key}"
  # tls_client_ca = "{ca}"  # asks every client for a certificate

On a phone: install {made.ca.name} as a trusted authority.
On another computer: copy {made.ca.name}, then autotrader console --target HOST:PORT --tls-ca {made.ca.name}
With tls_client_ca, both need {made.client.name} and {made.client_key.name} too;
autotrader takes their paths from AUTOTRADER_TLS_CERT and AUTOTRADER_TLS_KEY.

Whoever has {made.ca_key.name} can pretend to be any site to a device that trusts {made.ca.name}:
keep it secret, or delete it."""
