"""Files that only the engine's owner can read."""

import os
import stat
from pathlib import Path

from trading.errors import OperationError

MOST_BYTES = 65_536


def state_folder() -> Path:
    """Where autotrader keeps what it must remember: `$XDG_STATE_HOME/autotrader`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autotrader"


def private_folder(folder: Path) -> Path:
    """The folder, made where it is missing, closed to all others (0700). Raises OperationError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise OperationError(f"the folder {folder} cannot be made private: {error.strerror}") from None
    return folder


def read_private(path: Path) -> bytes | None:
    """What the file holds; None when there is none.

    Raises OperationError for a file that is not ours alone (mode 0600), or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperationError(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise OperationError(
                f"{path} is not trusted: others can read or change it; if you know who could, `chmod 600` it,"
                " else remove it"
            )
        return file.read(MOST_BYTES)


def write_private(path: Path, content: bytes) -> None:
    """Put a file (0600) in place of what was there, at once or not at all. Raises OperationError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OperationError(f"{path} cannot be written: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
