"""An engine that `autotrader run` started, and commands that talk to it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cli.main import run
from tests.data import ROOT

Got = TypeVar("Got")

START_SECONDS = 90.0
SETTINGS = """
[engine]
symbols = ["BTC/USDT", "ETH/USDT"]

[feed]
candles_per_second = 40
"""


@dataclass(frozen=True)
class RunningEngine:
    """Its folder with its settings and database, where it listens, and its process."""

    folder: Path
    address: str
    process: "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class Said:
    """How a command line ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class Commands:
    """Runs command lines in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        self._capsys.readouterr()
        code = run([*map(str, arguments)])
        printed = self._capsys.readouterr()
        return Said(code, printed.out, printed.err)

    def json(self, *arguments: object) -> Any:
        """What a command that must succeed answers with --json."""
        said = self(*arguments, "--json")
        assert said.code == 0, said.err
        return said.json


@contextmanager
def running_engine(folder: Path, listen: str = "127.0.0.1:0") -> Iterator[RunningEngine]:
    """An engine in this folder, until the block ends."""
    (folder / "autotrader.toml").write_text(SETTINGS)
    log = folder / "run.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "run"],
            cwd=folder,
            env={**environment(), "AUTOTRADER__CONTROL__LISTEN": listen},
            stdout=out,
            stderr=out,
        )
    try:
        yield RunningEngine(folder, _address(log, process), process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


def environment() -> dict[str, str]:
    """For a process of this tree in another folder."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}


def _address(log: Path, process: "subprocess.Popen[bytes]") -> str:
    def told() -> str | None:
        assert process.poll() is None, log.read_text()
        found = re.search(r"control plane: (\S+)", log.read_text())
        return found and found[1]

    return until(told, START_SECONDS)


def until(look: Callable[[], Got | None], seconds: float = 20.0) -> Got:
    """What `look` gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
