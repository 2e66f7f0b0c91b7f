"""Runs on disk, one folder each: what it is and how it stands, what a queued one is to do, its results.

ID/run.json      the Run of the contract
ID/order.json    what its process is told; only until the run begins
ID/results/      its files; only of a run that is done
ID/errors.txt    what its process said on stderr
ID/request       the command that asked for it: ACCOUNT/REQUEST_ID
"""

import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from google.protobuf import json_format

from autotrader.v1 import run_pb2

RUN, ORDER, RESULTS, ERRORS, REQUEST = "run.json", "order.json", "results", "errors.txt", "request"


class RunStore:
    """The folder of all runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def runs(self) -> list[run_pb2.Run]:
        """What is stored, the oldest first; a folder that holds no run is passed over."""
        found = (self._read(path) for path in sorted(self._folder.glob(f"*/{RUN}")))
        return [run for run in found if run is not None]

    def new_id(self, time_ms: int) -> str:
        """The id of a new run, whose folder is made: its time to the second, and a number."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = datetime.fromtimestamp(time_ms // 1000, UTC)
        for number in count():
            name = f"{moment:%Y%m%dT%H%M%S}-{number:04}"
            try:
                (self._folder / name).mkdir()
            except FileExistsError:
                continue
            return name
        raise AssertionError

    def write(self, run: run_pb2.Run) -> None:
        """Keep how a run stands."""
        text = json_format.MessageToJson(run, preserving_proto_field_name=True)
        _write(self._folder / run.id / RUN, text.encode())

    def write_request(self, id_: str, request: str) -> None:
        """Keep which command asked for a run."""
        _write(self._folder / id_ / REQUEST, request.encode())

    def request(self, id_: str) -> str:
        """The command that asked for a run; "" when it is not known."""
        try:
            return (self._folder / id_ / REQUEST).read_text()
        except (OSError, UnicodeDecodeError):
            return ""

    def write_order(self, id_: str, line: bytes) -> None:
        """Keep what a queued run is to do."""
        _write(self._folder / id_ / ORDER, line)

    def take_order(self, id_: str) -> bytes:
        """What the run is to do; it is not kept any longer. Raises OSError when it is not there."""
        path = self._folder / id_ / ORDER
        line = path.read_bytes()
        path.unlink()
        return line

    def results(self, id_: str) -> Path:
        """Where the result files of a run are."""
        return self._folder / id_ / RESULTS

    def errors(self, id_: str) -> Path:
        """Where the stderr of a run's process goes."""
        return self._folder / id_ / ERRORS

    def result_files(self, id_: str) -> list[str]:
        """The names of a run's result files."""
        return sorted(each.name for each in self.results(id_).glob("*") if each.is_file())

    def drop_results(self, id_: str) -> None:
        """Remove what a run left that did not end well, and what it was to do."""
        shutil.rmtree(self.results(id_), ignore_errors=True)
        with suppress(OSError):
            (self._folder / id_ / ORDER).unlink()

    def remove(self, id_: str) -> None:
        """Remove all of a run."""
        shutil.rmtree(self._folder / id_, ignore_errors=True)

    def _read(self, path: Path) -> run_pb2.Run | None:
        try:
            run = json_format.Parse(path.read_bytes(), run_pb2.Run(), ignore_unknown_fields=True)
        except (OSError, UnicodeDecodeError, json_format.ParseError):
            return None
        return run if run.id == path.parent.name else None


def _write(path: Path, body: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(body)
    os.replace(partial, path)
