"""Ray for sweeps: worker processes that make batches of items. Nothing else in backtest speaks Ray."""

import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from trading.errors import OperationError

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)
Result = TypeVar("Result")
Value = TypeVar("Value")

BATCH_SECONDS = 0.7
LARGEST_BATCH = 2_000
FIRST_BATCH = 4
PER_WORKER = 2
WAIT_SECONDS = 0.2
# A trial that takes its process down so often is itself the reason.
MOST_LOSSES = 3
# So many losses in a row, with nothing done between them, are not the items' doing.
MOST_LOSSES_IN_A_ROW = 40
START_SECONDS = 300.0

_ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


class Job(Protocol[Item_contra, Result_co]):
    """What the workers do; it is shipped to each of them once, and lives there."""

    def run(self, common: Any, items: Sequence[Item_contra]) -> Result_co:
        """The result of these items; raises nothing for an item that fails."""

    def lost(self, item: Item_contra, reason: str) -> Result_co:
        """The result of an item that ended its process each time."""


class Shared(Generic[Value]):
    """A value in the memory that all workers of a machine share; calling it gives the value."""

    def __init__(self, value: Value) -> None:
        self._reference = ray.put(value)

    def __call__(self) -> Value:
        value: Value = ray.get(self._reference)
        return value


class _Worker:
    """One process with the job in it. Its first lines come before polars and numba are imported."""

    def __init__(self, boxed_job: list[Any]) -> None:
        for name in _ONE_THREAD:
            os.environ.setdefault(name, "1")
        self._job = ray.get(boxed_job[0])

    def ready(self) -> None:
        """Answers when the job is there."""

    def run(self, common: Any, items: Sequence[Any]) -> tuple[Any, float]:
        """The result of a batch, and the seconds that it took."""
        started = time.perf_counter()
        return self._job.run(common, items), time.perf_counter() - started


class _Seat:
    """A worker as the pool sees it."""

    def __init__(self, boxed_job: list[Any]) -> None:
        options: Any = {
            "num_cpus": 1,
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": "SPREAD",
        }
        self.actor: Any = ray.remote(**options)(_Worker).remote(boxed_job)
        self.is_ready = False
        # Calls in the order in which they run.
        self.queue: deque[Any] = deque()

    def end(self) -> None:
        ray.kill(self.actor)


class _Batches(Generic[Item]):
    """What is still to be handed out; what was lost comes first."""

    def __init__(self, items: Iterator[Item], count: int) -> None:
        self._items = items
        self._count = count
        self._lost: deque[list[Item]] = deque()

    def next(self, size: int, workers: int) -> list[Item]:
        """The next batch, smaller towards the end, so that all workers end together."""
        if self._lost:
            return self._lost.popleft()
        even = math.ceil(self._count / (PER_WORKER * workers))
        batch = list(islice(self._items, max(1, min(size, even))))
        self._count -= len(batch)
        return batch

    @property
    def left(self) -> bool:
        """Whether anything is left."""
        return bool(self._lost) or self._count > 0

    def give_back(self, batch: list[Item], in_halves: bool) -> None:
        """Take a lost batch back; in halves, so that others come free of an item that ends its process."""
        size = math.ceil(len(batch) / 2) if in_halves else len(batch)
        self._lost.extend(part for part in (batch[:size], batch[size:]) if part)


class Pool(Generic[Item, Result]):
    """Worker processes on the Ray that this process is connected to, or on a private one.

    A worker that dies is replaced and its batches are made again: no result is lost, none comes twice.
    """

    def __init__(self, job: Job[Item, Result], workers: int | None = None) -> None:
        self._job = job
        self._owns_ray = _start_private_ray()
        self._count = workers or _cpus()
        self._boxed_job = [ray.put(job)]
        self._running: dict[Any, tuple[_Seat, list[Item]]] = {}
        self._seats = [self._new_seat() for _ in range(self._count)]
        self._item_seconds: float | None = None
        self._losses: dict[Item, int] = {}
        self._losses_in_a_row = 0
        self._alive_at = time.monotonic()

    def close(self) -> None:
        """End the workers."""
        for seat in self._seats:
            seat.end()
        if self._owns_ray:
            ray.shutdown()

    def results(
        self, common: Any, items: Iterator[Item], count: int, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[Result]:
        """The results of `count` items, in batches, in the order in which they are done.

        `common` goes with every batch. Once `stopped` says so, it ends without what is not done yet.
        Raises OperationError when no worker can be started or kept alive.
        """
        batches = _Batches(items, count)
        while (batches.left or self._at_work()) and not stopped():
            self._hand_out(batches, common)
            done, _ = ray.wait(list(self._running), timeout=WAIT_SECONDS)
            for reference in done:
                yield from self._collected(reference, batches)
            self._refuse_to_wait_forever()

    def shared(self, value: Value) -> Shared[Value]:
        """A value that is sent to each machine once, and read where it lies."""
        return Shared(value)

    def _new_seat(self) -> _Seat:
        seat = _Seat(self._boxed_job)
        self._running[seat.actor.ready.remote()] = (seat, [])
        return seat

    def _at_work(self) -> bool:
        return any(batch for _, batch in self._running.values())

    def _hand_out(self, batches: _Batches[Item], common: Any) -> None:
        """Fill up every worker that is there, the idle ones first."""
        for depth in range(PER_WORKER):
            for seat in self._seats:
                if seat.is_ready and len(seat.queue) == depth and batches.left:
                    batch = batches.next(self._batch_size(), self._count)
                    seat.queue.append(seat.actor.run.remote(common, batch))
                    self._running[seat.queue[-1]] = (seat, batch)

    def _batch_size(self) -> int:
        if self._item_seconds is None:
            return FIRST_BATCH
        return max(1, min(LARGEST_BATCH, int(BATCH_SECONDS / max(self._item_seconds, 1e-9))))

    def _collected(self, reference: Any, batches: _Batches[Item]) -> Iterator[Result]:
        """What a finished call gave: a result, nothing from a start, or a loss."""
        seat, batch = self._running.pop(reference)
        try:
            answer = ray.get(reference)
        except RayTaskError as error:
            raise OperationError(f"a worker cannot make trials: {error.cause or error}") from error
        except RayError as error:
            self._replace(seat, error)
            was_first = bool(seat.queue) and seat.queue[0] == reference
            yield from self._made_again(batch, batches, was_first)
            return
        self._alive_at = time.monotonic()
        if not batch:
            seat.is_ready = True
            return
        self._losses_in_a_row = 0
        seat.queue.remove(reference)
        result, seconds = answer
        self._item_seconds = seconds / len(batch)
        yield result

    def _replace(self, seat: _Seat, error: RayError) -> None:
        """Another worker takes the seat of one that died."""
        if seat not in self._seats:
            return
        self._losses_in_a_row += 1
        if self._losses_in_a_row > MOST_LOSSES_IN_A_ROW:
            raise OperationError(f"workers die as soon as they start: {_first_line(error)}") from error
        seat.end()
        self._seats[self._seats.index(seat)] = self._new_seat()

    def _made_again(self, batch: list[Item], batches: _Batches[Item], was_running: bool) -> Iterator[Result]:
        """A lost batch goes back; the one that was running in halves, and a single item not forever."""
        if was_running and len(batch) == 1:
            losses = self._losses[batch[0]] = self._losses.get(batch[0], 0) + 1
            if losses == MOST_LOSSES:
                yield self._job.lost(batch[0], f"its process died {MOST_LOSSES} times")
                return
        batches.give_back(batch, in_halves=was_running)

    def _refuse_to_wait_forever(self) -> None:
        if any(seat.is_ready for seat in self._seats):
            return
        if time.monotonic() - self._alive_at > START_SECONDS:
            raise OperationError(
                f"no worker could be started in {START_SECONDS:g} s: the cluster has no CPU free"
            )


def _cpus() -> int:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def _start_private_ray() -> bool:
    """Start a private Ray when this process has none; whether it did."""
    if ray.is_initialized():
        return False
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    ray.init(
        address="local",
        logging_level=logging.ERROR,
        log_to_driver=False,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
    )
    return True


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
