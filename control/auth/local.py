"""The credential file: with it the owner's console and shell, on the engine's machine, work at once."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from control.auth.private_files import private_folder, read_private, state_folder, write_private
from trading.errors import OperationError


class Credential(Struct, frozen=True):
    """What the file says: where the engine answers, the socket that the owner alone reaches and that needs
    no TLS, the secret, the web door, its certificate ("" without TLS), and the engine's process."""

    target: str
    socket: str
    secret: str
    web: str
    tls_ca: str
    process: int


def new_secret(random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """32 random bytes as URL-safe text."""
    return base64.urlsafe_b64encode(random_bytes(32)).decode().rstrip("=")


def credential_path(host: str, port: int) -> Path:
    """The file of the engine that listens at this host and port."""
    return state_folder() / f"control-{host}-{port}.json"


def write_credential(host: str, port: int, credential: Credential) -> Path:
    """Write the file (0600, in a folder 0700) in place of an older one. Raises OperationError."""
    path = credential_path(host, port)
    private_folder(path.parent)
    write_private(path, msgspec.json.encode(credential))
    return path


def remove_credential(path: Path, secret: str) -> None:
    """Remove the file, unless a later engine has put its own there."""
    try:
        content = read_private(path)
        if content is not None and msgspec.json.decode(content, type=Credential).secret == secret:
            path.unlink(missing_ok=True)
    except (OperationError, OSError, msgspec.DecodeError):
        # The end of an engine is not stopped by a file that somebody else put there.
        return
