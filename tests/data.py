"""Where tests find the shared market data."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_file(name: str) -> Path:
    """A file of the shared data; skips the test when it is not there.

    The folder is `AUTOTRADER_TEST_DATA`, or `../shared/data` beside the repository.
    """
    path = Path(os.environ.get("AUTOTRADER_TEST_DATA") or ROOT.parent / "shared" / "data") / name
    if not path.exists():
        pytest.skip(f"{path} is missing: set AUTOTRADER_TEST_DATA to the folder of the shared data")
    return path
