"""`autotrader console`: the Textual console."""

from cli.options import ConfigOption, VerboseOption
from cli.remote import TargetOption, TlsCaOption


def command(
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Open the operator's console on a running engine."""
    from cli.listening import engine_address
    from cli.remote import client_errors
    from tui.app import run_console

    listen = "" if target else engine_address(config)
    with client_errors():
        return run_console(target, listen=listen, tls_ca=str(tls_ca or ""))
