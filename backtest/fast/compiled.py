"""How this package compiles: once per machine and version, to the last digit in 64-bit integers.

A compiled function is stored on disk, and would be found again there although a function that it calls
has changed. So the store's folder is named after all the sources that go into it.
"""

import hashlib
import os
from pathlib import Path

import numba
from numba import njit

import trading.rules


def store_folder() -> Path:
    """Where the compiled code of exactly these sources is kept: NUMBA_CACHE_DIR, else the user's cache."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in (*sorted(Path(__file__).parent.glob("*.py")), Path(trading.rules.__file__)):
        digest.update(source.read_bytes())
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autotrader" / "compiled"
    return Path(os.environ.get("NUMBA_CACHE_DIR") or user) / digest.hexdigest()[:16]


def is_stored() -> bool:
    """Whether the compiled code is there already; else the first run compiles it, which takes seconds."""
    return _FOLDER.exists() and any(_FOLDER.iterdir())


def _can_be_stored(folder: Path) -> bool:
    """Whether the folder is there and can be written to; where not, each process compiles anew."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


_FOLDER = store_folder()
numba.config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]
_stored = _can_be_stored(_FOLDER)

compiled = njit(cache=_stored, error_model="numpy", nogil=True)
inlined = njit(cache=_stored, error_model="numpy", nogil=True, inline="always")
