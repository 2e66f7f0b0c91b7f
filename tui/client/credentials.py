"""The credential file: how the owner of a running engine is known on the same machine.

The engine writes `$XDG_STATE_HOME/autotrader/control-HOST-PORT.json` (0600) at each start and removes it at
its end.
"""

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from tui.client.errors import BadCredentials

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Credential:
    """What the file says: the secret, where the web door is, which CA to trust ("" without TLS), and the
    socket that only the owner reaches ("" when there is none)."""

    secret: str = field(repr=False)
    web: str = ""
    tls_ca: str = ""
    socket: str = ""


def credential_path(host: str, port: int) -> Path:
    """Where the engine that listens at HOST:PORT keeps its file."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "autotrader" / f"control-{host}-{port}.json"


def read_credential(host: str, port: int) -> Credential | None:
    """The credential of the engine at a port of this machine, by whichever name it listens.

    None when there is none. Raises BadCredentials for a file that belongs to somebody else, is open to
    others, or holds no secret.
    """
    for name in dict.fromkeys((host, *LOOPBACK_NAMES)):
        path = credential_path(name, port)
        if path.is_symlink() or path.exists():
            return _parse(path, _read_private(path))
    return None


def _read_private(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadCredentials(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            raise BadCredentials(f"{path} is not trusted: it must be a file of yours with mode 0600")
        return file.read(65_536)


def _parse(path: Path, text: str) -> Credential:
    try:
        facts = json.loads(text)
        found = Credential(*(str(facts.get(key) or "") for key in ("secret", "web", "tls_ca", "socket")))
    except (ValueError, AttributeError):
        found = Credential("")
    if not found.secret:
        raise BadCredentials(f"{path} holds no secret; restart the engine to have it written anew")
    return found
