"""The console in a real terminal, on a real engine: it acts, and lives on when the engine is killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import environment, running_engine, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
PATIENCE_SECONDS = 60.0


class Terminal:
    """A terminal of 120 x 36 in which the console runs."""

    def __init__(self, folder: Path, target: str) -> None:
        self._server = ["tmux", "-S", str(folder / "tmux")]
        console = f"{sys.executable} -m tui --target {target}"
        self._tmux("new-session", "-d", "-x", "120", "-y", "36", console, env=environment())

    def press(self, key: str) -> None:
        """Press a key."""
        self._tmux("send-keys", key)

    def shows(self, *words: str) -> str:
        """The screen as soon as it holds all of these words."""

        def look() -> str:
            screen = self._tmux("capture-pane", "-p")
            return screen if all(word in screen for word in words) else ""

        return until(look, PATIENCE_SECONDS)

    def close(self) -> None:
        """End it, with what runs in it."""
        subprocess.run([*self._server, "kill-server"], check=False, capture_output=True)

    def _tmux(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [*self._server, *arguments], check=True, capture_output=True, text=True, env=env, timeout=20
        )
        return done.stdout


@pytest.fixture
def address() -> str:
    """An address that is free, and the same after a restart of the engine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("t"), address)
    yield terminal
    terminal.close()


def test_console_commands_the_engine_and_outlives_it(
    tmp_path: Path, address: str, terminal: Terminal
) -> None:
    terminal.shows("AWAY")
    with running_engine(tmp_path, address) as engine:
        terminal.shows("SIMULATED", "RUNNING", "live", "BTC/USDT")
        terminal.press("5")
        terminal.shows("Came of it", "BTC/USDT")
        terminal.press("k")
        terminal.shows("Kill switch", "THROW IT")
        terminal.press("Enter")
        terminal.shows("KILLED", "KILL SWITCH THROWN")
        os.kill(engine.process.pid, signal.SIGKILL)
        terminal.shows("AWAY", "was KILLED")
    with running_engine(tmp_path, address):
        terminal.shows("KILLED", "live")
