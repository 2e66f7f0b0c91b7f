"""The candle files of the engine's data folder: what runs may use, and nothing else on this machine."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from autotrader.v1 import run_pb2
from trading.candle_checks import timeframe_of
from trading.candle_files import is_simulated, read_candles
from trading.errors import CandleError
from trading.symbols import is_symbol
from trading.timeframe import timeframe_name

SUFFIXES = (".parquet", ".csv")
MOST_FILES = 1_000
DEEPEST = 3
# So many candles tell the timeframe.
ROWS_READ = 1_000

_Version = tuple[int, int]


class CandleFolder:
    """A folder of candle files, its subfolders included; a file's name is its path within the folder.

    Only regular files count: no links, nothing hidden. A folder that is not there is empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[_Version, run_pb2.CandleFile | None]] = {}

    def files(self) -> dict[str, run_pb2.CandleFile]:
        """The files that can be read as candles, by name; at most 1,000. What was read once and has not
        changed is not read again."""
        known = {name: self._described(name, found) for name, found in self._found()}
        self._known = known
        return {name: file for name, (_, file) in known.items() if file is not None}

    def _found(self) -> list[tuple[str, os.stat_result]]:
        found = []
        for name in self._names():
            try:
                about = (self.folder / name).lstat()
            except OSError:
                continue
            if stat.S_ISREG(about.st_mode):
                found.append((name, about))
        return sorted(found)[:MOST_FILES]

    def _names(self) -> Iterator[str]:
        for place, folders, files in os.walk(self.folder):
            here = Path(place).relative_to(self.folder)
            deep = len(here.parts) >= DEEPEST
            folders[:] = [] if deep else [each for each in folders if not each.startswith(".")]
            names = ((here / each).as_posix() for each in files if not each.startswith("."))
            yield from (name for name in names if name.endswith(SUFFIXES) and name.isprintable())

    def _described(self, name: str, about: os.stat_result) -> tuple[_Version, run_pb2.CandleFile | None]:
        version = about.st_mtime_ns, about.st_size
        before = self._known.get(name)
        if before is not None and before[0] == version:
            return before
        return version, _read(self.folder / name, name, about.st_size)


def _read(path: Path, name: str, size_bytes: int) -> run_pb2.CandleFile | None:
    """What a file says of itself; None when it holds no candles."""
    try:
        raw = read_candles(path, ROWS_READ)
        length_ms = timeframe_of(raw)
    except CandleError:
        return None
    return run_pb2.CandleFile(
        name=name,
        symbol=raw.symbol if raw.symbol and is_symbol(raw.symbol) else "",
        timeframe=timeframe_name(length_ms),
        size_bytes=size_bytes,
        simulated=is_simulated(path),
    )
