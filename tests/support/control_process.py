"""The engine of `tests.support.control_engine` as a process: started, ended, killed, and started again."""

import json
import os
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
# Generous: the machine may be busy with other tests.
START_SECONDS, STOP_SECONDS = 90.0, 30.0

STRATEGIES = """
[[strategies]]
name = "cross"
type = "sma_cross"
weight = 2
params = { fast = 3, slow = 8 }

[[strategies]]
name = "technical"
type = "technical"
"""

SETTINGS = """
[engine]
symbols = ["BTC/USDT", "ETH/USDT"]

[feed]
candles_per_second = {candles_per_second}

[database]
url = "sqlite:///{folder}/autotrader.db"

[control]
listen = "127.0.0.1:0"
web_listen = "127.0.0.1:0"
{control}

[risk]
stop_loss_percent = 1
trailing_stop_percent = 2
position_size_percent = 20
{strategies}
"""


class EngineProcess:
    """An engine in `folder`, which holds its settings, database, state and log; it trades often."""

    def __init__(
        self,
        folder: Path,
        *,
        candles_per_second: int = 20,
        control: str = "",
        strategies: str = STRATEGIES,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.config = folder / "autotrader.toml"
        self.database = folder / "autotrader.db"
        self.log = folder / "engine.log"
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("AUTOTRADER__")},
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
            **(environment or {}),
        }
        self.credential: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.config.write_text(
            SETTINGS.format(
                candles_per_second=candles_per_second, folder=folder, control=control, strategies=strategies
            )
        )

    @property
    def target(self) -> str:
        """Where it answers gRPC."""
        return str(self.credential["target"])

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> "EngineProcess":
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "tests.support.control_engine", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.credential = json.loads(Path(json.loads(self._first_line())["credential"]).read_text())
        return self

    def stop(self) -> None:
        """End it as `autotrader stop` does; it must end, and without a fault."""
        self._end(signal.SIGTERM)
        assert self.process is not None and self.process.returncode == 0, self.log_text()

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it has ended by itself."""
        assert self.process is not None
        return self.process.wait(STOP_SECONDS)

    def log_text(self) -> str:
        """What it wrote to its standard error."""
        return self.log.read_text(errors="replace")

    def memory_mb(self) -> float:
        """Its resident memory."""
        return float(self._status(r"VmRSS:\s+(\d+) kB")) / 1024

    def open_files(self) -> int:
        """How many files and sockets it holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _status(self, pattern: str) -> str:
        found = re.search(pattern, Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return found[1]

    def _first_line(self) -> bytes:
        assert self.process is not None and self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(START_SECONDS), self.log_text()
        line = self.process.stdout.readline()
        assert line, self.log_text()
        return line

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
