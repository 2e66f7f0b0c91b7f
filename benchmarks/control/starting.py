"""How long a person waits: for the console's first picture, and for `autotrader status`."""

import asyncio
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from benchmarks.control.engine import Engine, line_to
from benchmarks.control.figures import Row, Target, figures_of
from benchmarks.processes import environment, run_once
from trading.errors import OperationError
from tui.words import MODES

COLUMNS, LINES = 120, 40
WITHIN_SECONDS = 1.0
LONGEST_SECONDS = 60.0
CHUNK = 65_536
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def console_rows(engine: Engine, starts: int) -> list[Row]:
    """The console and the command in turn, each once before it counts."""
    mode, folder = asyncio.run(_mode(engine)), engine.database.parent
    status = [sys.executable, "-m", "cli", "status", "--target", engine.target]
    console, command = [], []
    for _ in range(starts + 1):
        console.append(console_seconds(engine.target, mode, folder))
        command.append(run_once(status, folder).seconds)
    shown = figures_of(console[1:])
    within = Target(f"p99 at most {WITHIN_SECONDS:g} s", shown.p99 or 0.0, WITHIN_SECONDS)
    return [
        Row(f"console: start until {mode}", "s", shown, target=within),
        Row("status: the whole command", "s", figures_of(command[1:])),
    ]


def console_seconds(target: str, mode: str, folder: Path) -> float:
    """From the start of a console on a terminal until it shows the mode. Raises OperationError."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    size = {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", "--target", target],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(TERM="xterm-256color", **size),
        cwd=folder,
        # Ctrl-C is for us: we end it.
        start_new_session=True,
    )
    os.close(slave)
    try:
        _read_until(master, mode.encode())
        return time.perf_counter() - start
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _read_until(terminal: int, word: bytes) -> None:
    shown, end = b"", time.monotonic() + LONGEST_SECONDS
    while word not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        try:
            chunk = os.read(terminal, CHUNK) if ready else b""
        except OSError:
            # The other end of a terminal is gone.
            chunk = b""
        if not chunk:
            raise OperationError(
                f"the console did not show {word.decode()}; the last of it: {_last_line(shown)}"
            )
        shown += chunk


def _last_line(shown: bytes) -> str:
    lines = _ESCAPES.sub(b"", shown).decode(errors="replace").split("\n")
    return ([line.strip() for line in lines if line.strip()] or ["nothing"])[-1]


async def _mode(engine: Engine) -> str:
    async with line_to(engine) as line:
        return MODES[(await line.status()).mode]
