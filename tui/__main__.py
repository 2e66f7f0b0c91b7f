"""`python -m tui [--target HOST:PORT] [--tls-ca FILE]`: the console without the command `autotrader`."""

import argparse
import sys

from tui.app import run_console
from tui.client import BadTarget, ClientError


def main() -> int:
    """Run the console; 0 done, 1 failed, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m tui", description="The operator console of autotrader.")
    parser.add_argument("--target", help="the engine, HOST:PORT (default 127.0.0.1:50051)")
    parser.add_argument("--tls-ca", default="", help="the CA to trust, a PEM file")
    options = parser.parse_args()
    try:
        return run_console(options.target, tls_ca=options.tls_ca)
    except ClientError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, BadTarget) else 1


if __name__ == "__main__":
    sys.exit(main())
