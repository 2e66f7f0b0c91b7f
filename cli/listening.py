"""Where the engine of these settings listens: `control.listen`, read without checking every other setting."""

import json
import os
import tomllib
from pathlib import Path

from trading.errors import InputError, OperationError

VARIABLE = "AUTOTRADER__CONTROL__LISTEN"
DEFAULT_FILE = Path("autotrader.toml")


def engine_address(config: Path | None) -> str:
    """HOST:PORT of the engine on this machine, of the environment, the .env or the settings file.

    "" where none of them says it. With port 0, that of the one engine that runs. Raises InputError for
    settings that cannot be read, and when several engines run; OperationError when none does.
    """
    file = config or DEFAULT_FILE
    if config is not None and not config.exists():
        return _checked(config)
    listen = os.environ.get(VARIABLE) or _in_dotenv(file.parent / ".env") or _in_file(file, config)
    host, colon, port = listen.rpartition(":")
    return _running(host) if colon and port == "0" else listen


def changed_address(config: Path | None) -> str:
    """The same with what was changed at run time, which only the database knows."""
    from cli.stored_settings import load_with_changes

    return load_with_changes(config).settings.control.listen


def _in_dotenv(path: Path) -> str:
    if not path.exists():
        return ""
    from cli.config_files import read_dotenv

    return read_dotenv(path).get(VARIABLE, "")


def _in_file(file: Path, config: Path | None) -> str:
    """What the file says; one that is odd is left to the loader of all settings, which says what is wrong."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        listen = raw.get("control", {}).get("listen", "")
    except FileNotFoundError:
        if config is None:
            return ""
        listen = None
    except (OSError, ValueError, AttributeError):
        listen = None
    return listen if isinstance(listen, str) else _checked(config)


def _checked(config: Path | None) -> str:
    from cli.config import load_settings

    return load_settings(config).settings.control.listen


def _running(host: str) -> str:
    """The engine at a free port of its choice: its credential file names it."""
    from tui.client.credentials import credential_path

    folder = credential_path(host, 0).parent
    files = sorted(folder.glob(f"control-{host}-*.json")) if folder.is_dir() else []
    found = [file.stem.removeprefix("control-") for file in files if _lives(file)]
    addresses = [":".join(name.rsplit("-", 1)) for name in found]
    if not addresses:
        raise OperationError(f"no engine of yours runs at {host}; start one with `autotrader run`")
    if len(addresses) > 1:
        raise InputError(f"--target: several engines run here; name one of {', '.join(addresses)}")
    return addresses[0]


def _lives(file: Path) -> bool:
    try:
        os.kill(int(json.loads(file.read_text())["process"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True
