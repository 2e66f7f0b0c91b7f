"""Processes under measurement: one that answers again and again, and one from its start to its end."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from trading.errors import OperationError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Sample:
    """One measurement: seconds, and what else was seen (`peak_mb`, `trades`, `final_equity`, ...)."""

    seconds: float
    facts: Mapping[str, float] = field(default_factory=dict)


def environment(**more: str) -> dict[str, str]:
    """The environment of a measured process: settings come from files alone, imports stay compiled."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("AUTOTRADER__")
    }
    return kept | {"PYTHONPATH": str(ROOT)} | more


class Server:
    """A process that does the tasks of `benchmarks.serving`; made by `serving`.

    Raises OperationError, here and in `do`, when it ends instead of answering.
    """

    def __init__(self, process: "subprocess.Popen[str]", stderr: IO[bytes]) -> None:
        self._process, self._stderr = process, stderr
        hello = self._answer()
        self.version: str = hello["version"]
        self.tasks: list[str] = hello["tasks"]

    def do(self, task: str) -> Sample:
        """One task, once."""
        assert self._process.stdin is not None
        print(task, file=self._process.stdin, flush=True)
        answer = self._answer()
        return Sample(answer.pop("seconds"), answer)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise failure(self._process.args, self._stderr)
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def serving(command: Sequence[str], file: Path, folder: Path) -> Iterator[Server]:
    """A server on a file of candles, working in `folder`; it ends with the block."""
    with (
        TemporaryFile() as stderr,
        subprocess.Popen(
            [*command, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment(),
            cwd=folder,
        ) as process,
    ):
        yield Server(process, stderr)


def run_once(command: Sequence[str], folder: Path) -> Sample:
    """A process from start to end: wall seconds and its peak memory. Raises OperationError when it fails."""
    start = time.perf_counter()
    with TemporaryFile() as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stderr, env=environment(), cwd=folder
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise failure(command, stderr)
    return Sample(seconds, {"peak_mb": usage.ru_maxrss / 1024})


def failure(command: Any, stderr: IO[bytes]) -> OperationError:
    """What failed, and the last that it said."""
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    return OperationError(
        f"{' '.join(map(str, command))} failed: {lines[-1] if lines else 'it said nothing'}"
    )
