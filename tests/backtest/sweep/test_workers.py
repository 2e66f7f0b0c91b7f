"""The pool of worker processes: every result once, whatever dies."""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from backtest import workers
from backtest.workers import Pool
from trading.errors import OperationError

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300), pytest.mark.usefixtures("cluster")]


@dataclass
class Squares:
    """Squares numbers; some end their process, once or always, and each leaves a mark that it ran."""

    folder: Path
    deadly_once: tuple[int, ...] = ()
    deadly: tuple[int, ...] = ()
    seconds: float = 0.0

    def run(self, common: int, items: Sequence[int]) -> list[tuple[int, int]]:
        for item in items:
            mark = self.folder / f"died-{item}"
            if item in self.deadly or (item in self.deadly_once and not mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.seconds)
        return [(item, common * item * item) for item in items]

    def lost(self, item: int, reason: str) -> list[tuple[int, int]]:
        return [(item, -1)]


def made(pool: Pool[int, list[tuple[int, int]]], count: int, common: int = 1) -> list[tuple[int, int]]:
    return [each for batch in pool.results(common, iter(range(count)), count) for each in batch]


@pytest.fixture
def quick_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LARGEST_BATCH", 7)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_item_comes_once_whatever_the_number_of_workers(tmp_path: Path, processes: int) -> None:
    pool = Pool(Squares(tmp_path), processes)
    try:
        assert sorted(made(pool, 5_000)) == [(each, each * each) for each in range(5_000)]
        assert sorted(made(pool, 3, common=2)) == [(0, 0), (1, 2), (2, 8)]
        assert made(pool, 0) == []
    finally:
        pool.close()


@pytest.mark.usefixtures("quick_batches")
def test_items_of_a_worker_that_dies_are_made_again_and_none_comes_twice(tmp_path: Path) -> None:
    pool = Pool(Squares(tmp_path, deadly_once=(3, 4, 40)), 2)
    try:
        assert sorted(made(pool, 60)) == [(each, each * each) for each in range(60)]
    finally:
        pool.close()
    assert {each.name for each in tmp_path.iterdir()} == {"died-3", "died-4", "died-40"}


def test_item_that_ends_its_process_each_time_is_given_up_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "LARGEST_BATCH", 2)
    pool = Pool(Squares(tmp_path, deadly=(7,)), 1)
    try:
        found = dict(made(pool, 12))
    finally:
        pool.close()
    assert found == {each: -1 if each == 7 else each * each for each in range(12)}


def test_results_end_soon_after_they_are_stopped(tmp_path: Path) -> None:
    pool = Pool(Squares(tmp_path, seconds=0.05), 2)
    found: Counter[int] = Counter()
    try:
        for batch in pool.results(1, iter(range(10_000)), 10_000, lambda: len(found) >= 8):
            found.update(item for item, _ in batch)
    finally:
        pool.close()
    assert 8 <= len(found) < 100
    assert set(found.values()) == {1}


def test_workers_that_die_as_they_start_end_the_run_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MOST_LOSSES_IN_A_ROW", 2)
    pool = Pool(Squares(tmp_path, deadly=tuple(range(100))), 1)
    try:
        with pytest.raises(OperationError, match="workers die as soon as they start"):
            made(pool, 100)
    finally:
        pool.close()
