"""A run's process, as the engine sees it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path

from control.runs.messages import Told, told_in

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_LINE = 1 << 20
# Secrets are in the first, and the second would tie the run to the engine's Ray.
_KEPT_BACK = ("AUTOTRADER__", "RAY_")


class RunProcess:
    """One process at work. It ends by itself when the engine does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, order: bytes, data: Path, out: Path, errors: Path) -> "RunProcess":
        """Start a run on the files of the folder `data`. Raises OSError when no process can be started."""
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "control.runs.child", str(out.absolute())),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                cwd=data,
                env=_environment(os.environ),
                limit=LONGEST_LINE,
                start_new_session=True,
            )
        assert process.stdin is not None
        process.stdin.write(order)
        return cls(process)

    async def told(self) -> AsyncGenerator[Told, None]:
        """What it tells, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield told_in(line)

    def cancel(self) -> None:
        """Ask it to end."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    async def kill(self) -> None:
        """End it, if it has not ended, and wait until it has."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith(_KEPT_BACK)}
    places = filter(None, (str(ROOT), kept.get("PYTHONPATH")))
    return kept | {"PYTHONPATH": os.pathsep.join(places)}
