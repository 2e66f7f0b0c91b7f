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


numba.config.CACHE_DIR = str(store_folder())  # type: ignore[attr-defined]

compiled = njit(cache=True, error_model="numpy", nogil=True)
inlined = njit(cache=True, error_model="numpy", nogil=True, inline="always")
