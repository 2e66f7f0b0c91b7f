"""One writer a database, between real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.persistence.reader import Reader
from actors.persistence.store import Store, upgrade_database
from tests.actors.persistence.conftest import NOW_MS, stored_run
from tests.data import ROOT
from tests.support.runs import RandomRun, rules_of
from trading.errors import OperationError

HOLD = """
import sys, time
from actors.persistence.store import Store
store = Store.open(sys.argv[1], lambda: 1_700_000_000_123)
print("held", flush=True)
time.sleep(600)
"""
Holder = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def hold() -> Iterator[Holder]:
    """Starts processes that hold the writer's lock; kills those that are left."""
    started: list[subprocess.Popen[str]] = []

    def start(url: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_second_writer_is_told_who_holds_the_database(database_url: str, hold: Holder) -> None:
    process = hold(database_url)
    started = time.monotonic()
    sentence = (
        rf"^another engine \(pid {process.pid}, host \S+, since 2023-11-14T22:13:20Z\)"
        r" is running on this database$"
    )
    with pytest.raises(OperationError, match=sentence):
        Store.open(database_url, lambda: NOW_MS, wait_seconds=0.5)
    assert time.monotonic() - started >= 0.5


def test_upgrade_while_an_engine_runs_is_refused(database_url: str, hold: Holder) -> None:
    hold(database_url)
    with pytest.raises(OperationError, match="another engine"):
        upgrade_database(database_url, lambda: NOW_MS, wait_seconds=0)


def test_lock_of_a_killed_writer_is_free(database_url: str, hold: Holder) -> None:
    process = hold(database_url)
    os.kill(process.pid, signal.SIGKILL)
    store = Store.open(database_url, lambda: NOW_MS)
    assert store.epoch == 2
    store.close()


def test_waiting_writer_follows_one_that_ends(database_url: str, hold: Holder) -> None:
    process = hold(database_url)
    killer = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {process.pid}"])
    Store.open(database_url, lambda: NOW_MS, wait_seconds=10).close()
    assert killer.wait(timeout=5) == 0


def test_second_writer_in_the_same_process_is_refused_until_close(store: Store, database_url: str) -> None:
    with pytest.raises(OperationError, match=f"pid {os.getpid()}"):
        Store.open(database_url, lambda: NOW_MS, wait_seconds=0)
    store.close()
    Store.open(database_url, lambda: NOW_MS, wait_seconds=0).close()


def test_link_to_a_sqlite_file_has_the_same_lock(sqlite_url: str, tmp_path: Path) -> None:
    store = Store.open(sqlite_url, lambda: NOW_MS)
    (tmp_path / "link.db").symlink_to(sqlite_url.removeprefix("sqlite:///"))
    with pytest.raises(OperationError, match="another engine"):
        Store.open(f"sqlite:///{tmp_path / 'link.db'}", lambda: NOW_MS, wait_seconds=0)
    store.close()


def test_reader_works_while_a_writer_holds_the_lock(store: Store, database_url: str) -> None:
    run = stored_run(store, RandomRun(rules_of(), seed=1), candles=5)
    reader = Reader.open(database_url)
    assert reader.active_run() == run
    reader.close()


KILLED = """
import sys
sys.path.insert(0, "")
from actors.persistence.runs import Mode, RunSetup
from actors.persistence.store import Store
from tests.support.runs import RandomRun, rules_of
store = Store.open(sys.argv[1], lambda: 0)
source = RandomRun(rules_of(), seed=61)
run = store.begin(RunSetup(Mode.PAPER), source.started)
while True:
    print(store.append(run.id, source.entries(3), source.engine.state), flush=True)
"""


@pytest.mark.parametrize("lines", [1, 20])
def test_writer_killed_while_it_writes_leaves_whole_transactions(database_url: str, lines: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(lines)]
    process.kill()
    told += [int(line) for line in process.communicate()[0].split("\n") if line.strip().isdigit()][:-1]
    store = Store.open(database_url, lambda: NOW_MS)
    run = store.active_run()
    assert run is not None
    recovered = store.recover(run.id).engine().state
    assert recovered.sequence >= told[-1]
    source = RandomRun(rules_of(), seed=61)
    while source.engine.state.sequence < recovered.sequence:
        source.entries(3)
    assert recovered == source.engine.state
    assert store.check(run.id) == []
    store.close()
