"""Processes beside the engine that talk in lines of JSON: the bare server, the crowd of subscribers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any

from benchmarks.processes import ROOT, environment, failure


class Companion:
    """Answers every line with a line; ends when nobody can write to it any more."""

    def __init__(self, process: "subprocess.Popen[str]", stderr: IO[bytes]) -> None:
        self._process, self._stderr = process, stderr

    def ask(self, question: Any) -> Any:
        """Its answer. Raises OperationError when it ends instead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise failure(self._process.args, self._stderr) from None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise failure(self._process.args, self._stderr)
        return json.loads(line)


@contextmanager
def companion(module: str) -> Iterator[Companion]:
    """`python -m MODULE`; it ends with the block."""
    with (
        TemporaryFile() as stderr,
        subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment(),
            cwd=ROOT,
            # Ctrl-C is for us: we end it.
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Companion(process, stderr)
        finally:
            process.kill()
