"""RunService: backtests and sweeps on this machine."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TypeVar

from autotrader.v1 import common_pb2, run_pb2, run_pb2_grpc
from control.arguments import cut_of
from control.caller import acting
from control.calls import Context
from control.faults import invalid, not_found
from control.rows import timestamp
from control.runs.checks import backtest_order, sweep_order
from control.runs.manager import RunManager
from control.runs.messages import Order
from trading.settings import Settings

Request = TypeVar("Request", run_pb2.StartBacktestRequest, run_pb2.StartSweepRequest)
_ID = re.compile(r"\d{8}T\d{6}-\d{4,}", re.ASCII)
PART_BYTES = 64 * 1024
MOST_TITLE = 200


class RunServicer(run_pb2_grpc.RunServiceServicer):
    """Answers from the run manager."""

    def __init__(self, manager: RunManager) -> None:
        self._manager = manager

    async def ListCandleFiles(
        self, request: run_pb2.ListCandleFilesRequest, context: Context
    ) -> run_pb2.ListCandleFilesResponse:
        """The files that runs can use."""
        files = await asyncio.to_thread(self._manager.candles.files)
        return run_pb2.ListCandleFilesResponse(files=files.values())

    async def StartBacktest(
        self, request: run_pb2.StartBacktestRequest, context: Context
    ) -> run_pb2.StartBacktestResponse:
        """Queue a backtest."""
        run = await self._started(run_pb2.RUN_KIND_BACKTEST, backtest_order, request)
        return run_pb2.StartBacktestResponse(result=self._result(f"run {run.id} is queued"), run=run)

    async def StartSweep(
        self, request: run_pb2.StartSweepRequest, context: Context
    ) -> run_pb2.StartSweepResponse:
        """Queue a sweep."""
        run = await self._started(run_pb2.RUN_KIND_SWEEP, sweep_order, request)
        return run_pb2.StartSweepResponse(result=self._result(f"run {run.id} is queued"), run=run)

    async def ListRuns(self, request: run_pb2.ListRunsRequest, context: Context) -> run_pb2.ListRunsResponse:
        """Runs, the newest first; a page's token is the id of its last run."""
        cut = cut_of(request.page)
        if cut.token and not _ID.fullmatch(cut.token):
            raise invalid("page.token", "is not the next_page_token of an answer")
        runs = [
            run
            for run in self._manager.runs()
            if request.kind in (run_pb2.RUN_KIND_UNSPECIFIED, run.kind)
            and (not cut.token or run.id < cut.token)
        ]
        part = runs[: cut.size]
        token = part[-1].id if len(runs) > len(part) else ""
        return run_pb2.ListRunsResponse(runs=part, next_page_token=token)

    async def GetRun(self, request: run_pb2.GetRunRequest, context: Context) -> run_pb2.GetRunResponse:
        """One run."""
        return run_pb2.GetRunResponse(run=self._manager.run(request.id))

    async def WatchRun(
        self, request: run_pb2.WatchRunRequest, context: Context
    ) -> AsyncGenerator[run_pb2.WatchRunResponse, None]:
        """A run until it ends."""
        async for run in self._manager.watch(request.id):
            yield run_pb2.WatchRunResponse(run=run)

    async def CancelRun(
        self, request: run_pb2.CancelRunRequest, context: Context
    ) -> run_pb2.CancelRunResponse:
        """End a run."""
        acting().before = _facts(self._manager.run(request.id))
        run = await self._manager.cancel(request.id)
        acting().after = _facts(run)
        return run_pb2.CancelRunResponse(result=self._result(f"run {run.id} is {_state(run)}"))

    async def DownloadRunFile(
        self, request: run_pb2.DownloadRunFileRequest, context: Context
    ) -> AsyncGenerator[run_pb2.DownloadRunFileResponse, None]:
        """A result file in parts."""
        path = self._manager.result_file(request.id, request.file)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except OSError:
            raise not_found("file", f"the file {request.file!r} is not there any more") from None
        with file:
            while part := await asyncio.to_thread(file.read, PART_BYTES):
                yield run_pb2.DownloadRunFileResponse(content=part)

    async def _started(
        self,
        kind: "run_pb2.RunKind.ValueType",
        order_of: Callable[[Request, Settings, dict[str, run_pb2.CandleFile]], Order],
        request: Request,
    ) -> run_pb2.Run:
        """The run that the command at hand made before it broke off, or a new one."""
        act = acting()
        run = self._manager.asked_for_by(act.caller.name, act.request_id)
        if run is None:
            files = await asyncio.to_thread(self._manager.candles.files)
            order = await asyncio.to_thread(order_of, request, self._manager.settings(), files)
            title = _title(request.data, request.settings)
            run = self._manager.submit(kind, order, title, act.caller.name, act.request_id)
        act.after = _facts(run)
        return run

    def _result(self, message: str) -> common_pb2.CommandResult:
        return common_pb2.CommandResult(message=message, time=timestamp(self._manager.now_ms()))


def _title(data: Sequence[run_pb2.SymbolFile], settings: Sequence[run_pb2.SettingChange]) -> str:
    symbols = ", ".join(each.symbol for each in data)
    changes = ", ".join(f"{each.key}={each.value}" for each in settings)
    title = f"{symbols}: {changes or 'the present settings'}"
    return title if len(title) <= MOST_TITLE else title[: MOST_TITLE - 3] + "..."


def _state(run: run_pb2.Run) -> str:
    return run_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_").lower()


def _facts(run: run_pb2.Run) -> dict[str, str]:
    return {"run": run.id, "state": _state(run)}
