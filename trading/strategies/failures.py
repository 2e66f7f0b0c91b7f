"""What went wrong in somebody else's code, in words."""

import traceback
from pathlib import Path

import polars as pl

# A panic inside polars and a call of exit() go past `Exception`; a strategy's fault all the same.
FAILURES = (Exception, SystemExit, pl.exceptions.PanicException)
_LONGEST = 300


def failure_text(error: BaseException, path: Path | str | None = None) -> str:
    """The error's class, its message on one line and, when it happened in the file, the line there."""
    message = " ".join(str(error).split())
    if len(message) > _LONGEST:
        message = message[: _LONGEST - 3] + "..."
    text = type(error).__name__ + (f": {message}" if message else "")
    line = _line_in(error, str(path)) if path is not None else None
    return text if line is None else f"{text} (line {line})"


def _line_in(error: BaseException, path: str) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == path:
        return None if f"line {error.lineno}" in str(error) else error.lineno
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return frames[-1].lineno if frames else None
