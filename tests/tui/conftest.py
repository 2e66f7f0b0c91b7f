"""A control plane on a free port, and the credential file of its owner."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.tui.server import ControlServer


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ControlServer]:
    """A running server, with a credential file that `connect` finds."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("AUTOTRADER_TOKEN", raising=False)
    async with ControlServer() as running:
        running.write_credential(tmp_path)
        yield running
