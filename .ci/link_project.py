"""Puts this tree into the environment whose Python runs this: a path line and the command `autotrader`.

Nothing is built and nothing is fetched, and what is edited here is what runs.
"""

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Read by /bin/sh first, which starts Python, and then by Python, which sees a string:
# a plain `#!` line is cut or split when the folder's name is long or has a space.
COMMAND = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
from cli.main import main

main()
"""


def main() -> None:
    """Writes `autotrader.pth` and `bin/autotrader` of the running environment."""
    Path(sysconfig.get_path("purelib"), "autotrader.pth").write_text(f"{ROOT}\n{ROOT / 'protos'}\n")
    command = Path(sysconfig.get_path("scripts"), "autotrader")
    command.write_text(COMMAND.format(python=sys.executable))
    command.chmod(0o755)


if __name__ == "__main__":
    main()
