"""The runs of this engine: queued, made one at a time in processes of their own, kept, watched, cancelled."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from autotrader.v1 import run_pb2
from control.faults import exhausted, not_found, precondition
from control.rows import timestamp
from control.runs.candle_files import CandleFolder
from control.runs.messages import Cancelled, Done, Ended, Failed, Order, Progress, line_of
from control.runs.process import RunProcess
from control.runs.store import RunStore
from trading.settings import Settings

MOST_QUEUED = 20
MOST_KEPT = 200
CANCEL_SECONDS = 10.0
WATCH_SECONDS = 0.2
ENDED = frozenset({run_pb2.RUN_STATE_DONE, run_pb2.RUN_STATE_FAILED, run_pb2.RUN_STATE_CANCELLED})
ENGINE_ENDED = "the engine ended"


class RunManager:
    """Keeps runs in `folder`; they use the candle files of `data_folder` and the present `settings`.

    `on_change` hears of every change of a run, at most a few a second. A `Run` that was given out does not
    change any more: a change makes another one. Everything happens in one asyncio loop.
    """

    def __init__(
        self,
        folder: Path,
        data_folder: Path,
        settings: Callable[[], Settings],
        now_ms: Callable[[], int],
        on_change: Callable[[run_pb2.Run], None],
    ) -> None:
        self.settings = settings
        self.now_ms = now_ms
        self.candles = CandleFolder(data_folder)
        self._store = RunStore(folder)
        self._on_change = on_change
        self._runs: dict[str, run_pb2.Run] = {}
        self._by_request: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._process: RunProcess | None = None
        self._cancelling: set[str] = set()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up what is stored: queued runs are made, one that was at work has failed."""
        self._runs = {run.id: run for run in self._store.runs()}
        self._by_request = {self._store.request(id_): id_ for id_ in self._runs}
        for run in list(self._runs.values()):
            if run.state == run_pb2.RUN_STATE_RUNNING:
                self._end(run, Failed(ENGINE_ENDED))
        self._forget_oldest()
        self._worker = asyncio.create_task(self._work())

    async def close(self) -> None:
        """End the run at work, which has then failed; queued ones wait for the next start."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})

    def runs(self) -> list[run_pb2.Run]:
        """All runs, the newest first."""
        return sorted(self._runs.values(), key=lambda run: run.id, reverse=True)

    def run(self, id_: str) -> run_pb2.Run:
        """One run as it stands. Raises Fault NOT_FOUND."""
        found = self._runs.get(id_)
        if found is None:
            raise not_found("id", f"there is no run {id_!r}; ListRuns has their ids")
        return found

    def asked_for_by(self, account: str, request_id: str) -> run_pb2.Run | None:
        """The run that this command made, though it may have broken off before it was answered."""
        id_ = self._by_request.get(f"{account}/{request_id}")
        return None if id_ is None else self._runs.get(id_)

    def submit(
        self, kind: "run_pb2.RunKind.ValueType", order: Order, title: str, started_by: str, request_id: str
    ) -> run_pb2.Run:
        """Queue a run. Raises Fault RESOURCE_EXHAUSTED when 20 wait."""
        if len(self._queued()) >= MOST_QUEUED:
            raise exhausted("TOO_MANY_RUNS", f"{MOST_QUEUED} runs wait already; try again when one has ended")
        now_ms, request = self.now_ms(), f"{started_by}/{request_id}"
        try:
            id_ = self._store.new_id(now_ms)
            self._store.write_order(id_, line_of(order))
            self._store.write_request(id_, request)
        except OSError as error:
            raise precondition("NOT_STORED", f"the run cannot be stored: {error.strerror or error}") from None
        run = run_pb2.Run(
            id=id_,
            kind=kind,
            state=run_pb2.RUN_STATE_QUEUED,
            title=title,
            started_by=started_by,
            created_at=timestamp(now_ms),
        )
        self._by_request[request] = id_
        self._keep(run)
        self._forget_oldest()
        return run

    async def cancel(self, id_: str) -> run_pb2.Run:
        """End a run. Raises Fault when there is none, or when it has ended or ends by itself."""
        run = self.run(id_)
        if run.state in ENDED:
            raise _has_ended(run)
        if run.state == run_pb2.RUN_STATE_QUEUED:
            return self._end(run, Cancelled())
        self._cancelling.add(id_)
        if self._process is not None:
            self._process.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_SECONDS):
                await self._ending(id_)
        if id_ in self._cancelling and self._process is not None:
            await self._process.kill()
        run = await self._ending(id_)
        if run.state != run_pb2.RUN_STATE_CANCELLED:
            raise _has_ended(run)
        return run

    async def watch(self, id_: str) -> AsyncGenerator[run_pb2.Run, None]:
        """A run as it stands, and again whenever it changed, at most 5 times a second, until it has ended."""
        shown = None
        run = self.run(id_)
        while True:
            changed = self._changed
            if run is not shown:
                shown = run
                yield run
            if run.state in ENDED:
                return
            await changed.wait()
            await asyncio.sleep(WATCH_SECONDS)
            run = self.run(id_)

    def result_file(self, id_: str, name: str) -> Path:
        """A result file of a run. Raises Fault NOT_FOUND unless the run lists it."""
        run = self.run(id_)
        if name not in run.files:
            there = f"it has {', '.join(run.files)}" if run.files else "it has none"
            raise not_found("file", f"the run {id_} has no result file {name!r}; {there}")
        return self._store.results(id_) / name

    async def _work(self) -> None:
        while True:
            changed = self._changed
            if queued := self._queued():
                await self._make(queued[0])
            else:
                await changed.wait()

    def _queued(self) -> list[run_pb2.Run]:
        """The runs that wait, the first to be made first."""
        return [run for run in reversed(self.runs()) if run.state == run_pb2.RUN_STATE_QUEUED]

    async def _make(self, run: run_pb2.Run) -> None:
        state, now = run_pb2.RUN_STATE_RUNNING, timestamp(self.now_ms())
        run = self._change(run, state=state, started_at=now, progress_text="starting")
        try:
            ended = await self._made(run)
        except asyncio.CancelledError:
            self._end(self.run(run.id), Failed(ENGINE_ENDED))
            raise
        except Exception as error:  # the runs after this one are still to be made
            ended = Failed(f"{type(error).__name__}: {error}")
        if run.id in self._cancelling and not isinstance(ended, Done):
            ended = Cancelled()
        self._cancelling.discard(run.id)
        self._end(self.run(run.id), ended)

    async def _made(self, run: run_pb2.Run) -> Ended:
        """Make a run, and tell how far it is."""
        store, id_ = self._store, run.id
        process = await RunProcess.start(
            store.take_order(id_), self.candles.folder, store.results(id_), store.errors(id_)
        )
        self._process = process
        if id_ in self._cancelling:
            process.cancel()
        ended: Ended = Failed("its process ended unexpectedly; errors.txt in its folder may say why")
        try:
            async for told in process.told():
                if isinstance(told, Progress):
                    percent, text = told.percent, told.text
                    self._change(self.run(id_), progress_percent=percent, progress_text=text)
                else:
                    ended = told
        finally:
            self._process = None
            await process.kill()
        return ended

    async def _ending(self, id_: str) -> run_pb2.Run:
        """The run when it has ended."""
        while (run := self.run(id_)).state not in ENDED:
            await self._changed.wait()
        return run

    def _end(self, run: run_pb2.Run, ended: Ended) -> run_pb2.Run:
        """How a run ended, and what it found."""
        facts: dict[str, Any] = {"ended_at": timestamp(self.now_ms()), "progress_text": ""}
        match ended:
            case Done():
                facts |= {
                    "state": run_pb2.RUN_STATE_DONE,
                    "progress_percent": 100.0,
                    "figures": ended.figures,
                    "best": ended.best,
                    "verdict": ended.verdict,
                    "equity_quote": ended.equity,
                    "files": self._store.result_files(run.id),
                }
            case Failed():
                facts |= {"state": run_pb2.RUN_STATE_FAILED, "failure": ended.sentence}
            case Cancelled():
                facts |= {"state": run_pb2.RUN_STATE_CANCELLED}
        if not isinstance(ended, Done):
            self._store.drop_results(run.id)
        return self._change(run, **facts)

    def _change(self, run: run_pb2.Run, **facts: Any) -> run_pb2.Run:
        """Another `Run`, with these facts and the others as they were."""
        changed = run_pb2.Run(**facts)
        kept = run_pb2.Run()
        kept.CopyFrom(run)
        for name in facts:
            kept.ClearField(name)  # type: ignore[arg-type]
        kept.MergeFrom(changed)
        self._keep(kept)
        return kept

    def _keep(self, run: run_pb2.Run) -> None:
        before = self._runs.get(run.id)
        self._runs[run.id] = run
        if before is None or before.state != run.state:
            with suppress(OSError):  # on a full disk runs go on, and are told of until the engine ends
                self._store.write(run)
        self._changed.set()
        self._changed = asyncio.Event()
        self._on_change(run)

    def _forget_oldest(self) -> None:
        ended = [run for run in self.runs() if run.state in ENDED]
        for run in ended[max(0, MOST_KEPT - len(self._runs) + len(ended)) :]:
            del self._runs[run.id]
            self._by_request.pop(self._store.request(run.id), None)
            self._store.remove(run.id)


def _has_ended(run: run_pb2.Run) -> Exception:
    state = run_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_").lower()
    return precondition("RUN_ENDED", f"id: the run {run.id} has ended: it is {state}")
