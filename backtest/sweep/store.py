"""The folder of a sweep: what it was started with, and its trials in parts as they come.

    sweep.json            the plan's facts, and whether it is finished
    parts/0/000001.parquet ...   trials of pass 0 (the whole range); pass n is walk-forward window n
    trials.parquet, returns.parquet, walk_forward.parquet, best.toml, summary.json   when finished

A file appears whole or not at all, so that what is there after a crash can be trusted.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from backtest.results import to_json, write_file, write_parquet
from backtest.sweep.plan import SweepPlan
from backtest.sweep.space import Space
from backtest.sweep.trials import RETURNS, trials_schema
from trading.errors import InputError

MANIFEST, SUMMARY = "sweep.json", "summary.json"
PART_SECONDS = 2.0
PART_ROWS = 5_000


class Parts:
    """The trials of one pass, on disk in parts; what was added last may wait for its part to fill."""

    def __init__(self, folder: Path, space: Space) -> None:
        self._folder = folder
        self._schema = trials_schema(space)
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = 0
        self._flushed_at = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        self._next = 1 + max((int(each.stem) for each in self._files()), default=0)

    def add(self, trials: pl.DataFrame) -> None:
        """Keep trials; they are on disk after `PART_SECONDS` or with the next `flush`."""
        self._waiting.append(trials)
        self._waiting_rows += trials.height
        if self._waiting_rows >= PART_ROWS or time.monotonic() - self._flushed_at >= PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as the next part."""
        if self._waiting:
            write_parquet(self._folder / f"{self._next:06}.parquet", pl.concat(self._waiting))
            self._next += 1
        self._waiting, self._waiting_rows, self._flushed_at = [], 0, time.monotonic()

    def stored(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """These columns of the parts on disk; a part that a power failure left broken is removed."""
        for file in self._files():
            try:
                yield pl.read_parquet(file, columns=columns)
            except (pl.exceptions.PolarsError, OSError):
                file.unlink()

    def merged(self) -> pl.DataFrame:
        """All trials by number, without daily returns; column by column, so that one copy is enough."""
        files = self._files()
        order = pl.read_parquet(files, columns=["trial"])["trial"].arg_sort()
        names = [name for name in self._schema if name != RETURNS]
        return pl.DataFrame([pl.read_parquet(files, columns=[name])[name].gather(order) for name in names])

    def returns(self) -> dict[int, list[float]]:
        """The daily returns that were kept, by trial, in order."""
        kept: dict[int, list[float]] = {}
        for file in self._files():
            rows = pl.read_parquet(file, columns=["trial", RETURNS]).drop_nulls(RETURNS)
            kept.update(zip(rows["trial"].to_list(), rows[RETURNS].to_list(), strict=True))
        return dict(sorted(kept.items()))

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.parquet"))


@contextmanager
def opened(folder: Path, plan: SweepPlan, resume: bool) -> Iterator[None]:
    """The folder of a plan's sweep, ours alone inside the block.

    Raises InputError, naming --out or --resume, when the folder holds another sweep, one that was not
    to be resumed, none that can be, or one that another process is making.
    """
    check_folder(folder, plan, resume)
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        _lock(lock, folder)
        if not is_finished(folder):
            _write_manifest(folder, plan, finished=False)
        yield
    finally:
        os.close(lock)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"--out: another process is making the sweep in {folder}") from None


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a finished sweep."""
    manifest = _read_manifest(folder)
    return manifest is not None and bool(manifest["finished"])


def finish(folder: Path, plan: SweepPlan, summary: Mapping[str, Any]) -> None:
    """Write the summary, mark the sweep as finished, and remove its parts."""
    write_file(folder / SUMMARY, to_json(summary))
    _write_manifest(folder, plan, finished=True)
    shutil.rmtree(folder / "parts", ignore_errors=True)


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a finished sweep."""
    found: dict[str, Any] = msgspec.json.decode((folder / SUMMARY).read_bytes())
    return found


def check_folder(folder: Path, plan: SweepPlan, resume: bool) -> bool:
    """Whether the folder holds this plan's sweep, finished; raises InputError as `opened` does."""
    manifest = _read_manifest(folder)
    if manifest is None:
        if resume:
            raise InputError(f"--resume: {folder} holds no sweep; without --resume a new one begins there")
        return False
    if not resume:
        state = "a finished" if manifest["finished"] else "an unfinished"
        raise InputError(
            f"--out: {folder} holds {state} sweep; --resume goes on with it, another folder begins anew"
        )
    fault = _difference(manifest["plan"], msgspec.json.decode(to_json(plan.facts)))
    if fault:
        raise InputError(f"--resume: {folder} holds a sweep with other inputs: {fault}")
    return bool(manifest["finished"])


def _difference(before: Any, now: Any, place: str = "") -> str:
    """The first thing that differs, in words; empty when nothing does."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in [*before, *(each for each in now if each not in before)]:
            where = f"{place}.{name}" if place else str(name)
            if fault := _difference(before.get(name), now.get(name), where):
                return fault
        return ""
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        found = (
            _difference(*pair, f"{place}.{index + 1}")
            for index, pair in enumerate(zip(before, now, strict=True))
        )
        return next(filter(None, found), "")
    return "" if before == now else f"{place} was {before}, now it is {now}"


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = msgspec.json.decode((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"--out: {folder / MANIFEST} cannot be read ({error})") from None
    return found


def _write_manifest(folder: Path, plan: SweepPlan, finished: bool) -> None:
    write_file(folder / MANIFEST, to_json({"id": plan.id, "finished": finished, "plan": plan.facts}))
