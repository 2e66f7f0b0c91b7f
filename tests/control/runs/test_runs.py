"""Backtests over the control plane, from their start to their files, in real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import grpc
import polars as pl
import pytest

from actors.persistence.store import Store
from autotrader.v1 import common_pb2, run_pb2
from cli.main import run as command
from control.rows import timestamp
from control.runs import manager as manager_module
from control.runs.manager import ENGINE_ENDED, RunManager
from control.runs.messages import Order, line_of
from tests.control.runs.conftest import (
    BTC,
    ETH,
    FIRST_MS,
    HOUR_MS,
    SECRET,
    SLOW,
    TOKEN,
    Clock,
    Server,
    write_candles,
)
from tests.data import ROOT
from tests.support.crashes import forget_the_end
from trading.settings import Settings

DONE, FAILED, CANCELLED = run_pb2.RUN_STATE_DONE, run_pb2.RUN_STATE_FAILED, run_pb2.RUN_STATE_CANCELLED
QUEUED, RUNNING = run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING
FILES = ["decisions.parquet", "equity.parquet", "report.html", "summary.json", "trades.csv"]


def children() -> list[int]:
    """The processes of runs that are alive, children of this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"control.runs.child" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def test_backtest_watched_to_its_end_gives_the_figures_and_files_of_the_command(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await server.backtest(("cross.fast", "5"), ("risk.stop_loss_percent", "3.5"), data=[BTC, ETH])
    assert (run.state, run.kind, run.started_by) == (QUEUED, run_pb2.RUN_KIND_BACKTEST, "olga")
    assert run.title == "BTC/USDT, ETH/USDT: cross.fast=5, risk.stop_loss_percent=3.5"

    seen = await server.watched(run.id)
    done = seen[-1]
    assert done.state == DONE and done.progress_percent == 100 and done.failure == ""
    assert [each.state for each in seen] == sorted(each.state for each in seen)
    percents = [each.progress_percent for each in seen]
    assert percents == sorted(percents) and 0 < max(percents[:-1]) < 100
    assert run.created_at.seconds < done.started_at.seconds < done.ended_at.seconds
    assert done == await server.get(run.id) == server.changes[-1]
    assert list(done.files) == FILES

    monkeypatch.chdir(server.candles)
    monkeypatch.delenv("AUTOTRADER__EXCHANGE__API_SECRET")
    arguments = ["--data", "BTC/USDT=btc.parquet", "--data", "ETH/USDT=more/eth.parquet"]
    settings = ["--set", "cross.fast=5", "--set", "risk.stop_loss_percent=3.5", "--out", "../by-command"]
    assert command(["backtest", *arguments, *settings, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    for name in FILES:
        parts = await server.download(run.id, name)
        assert b"".join(parts) == (tmp_path / "by-command" / name).read_bytes(), name
        assert max(map(len, parts)) <= 65_536 and (len(parts) > 1) == (name == "report.html")
    assert done.figures == {name: value for name, value in summary.items() if isinstance(value, int | float)}
    assert done.figures["trades"] > 0
    equity = pl.read_parquet(BytesIO(b"".join(await server.download(run.id, "equity.parquet"))))["equity"]
    assert len(done.equity_quote) == 200
    assert (done.equity_quote[0], done.equity_quote[-1]) == (float(equity[0]), float(equity[-1]))
    assert set(done.equity_quote) <= set(map(float, equity))


async def test_backtest_over_a_range_begins_and_ends_there(server: Server) -> None:
    start, end = FIRST_MS + 100 * HOUR_MS, FIRST_MS + 150 * HOUR_MS
    run = await server.backtest(data=[BTC], range={"start": timestamp(start), "end": timestamp(end)})
    done = (await server.watched(run.id))[-1]
    assert done.figures["candles"] == 50 and len(done.equity_quote) == 50


async def test_candle_files_are_listed_with_what_they_state(server: Server) -> None:
    answer = await server.stub.ListCandleFiles(run_pb2.ListCandleFilesRequest(), metadata=TOKEN)
    assert [(each.name, each.symbol, each.timeframe, each.simulated) for each in answer.files] == [
        ("btc.parquet", "BTC/USDT", "1h", True),
        ("minutes.parquet", "ETH/USDT", "1m", True),
        ("more/eth.parquet", "ETH/USDT", "1h", True),
    ]
    assert answer.files[0].size_bytes == (server.candles / "btc.parquet").stat().st_size


async def test_run_that_cannot_be_made_fails_with_one_sentence_in_the_words_of_the_request(
    server: Server,
) -> None:
    table = pl.read_parquet(server.candles / "btc.parquet")
    bad = table.with_columns(pl.when(pl.int_range(pl.len()) == 500).then(0).otherwise("low").alias("low"))
    bad.with_columns(pl.col("low").cast(pl.Float64, strict=False)).write_parquet(
        server.candles / "bad.parquet"
    )
    rows = await server.backtest(data=[run_pb2.SymbolFile(symbol="BTC/USDT", file="bad.parquet")])
    late = await server.backtest(data=[BTC], range={"start": timestamp(FIRST_MS + 9_000 * HOUR_MS)})
    for run, words in ((rows, "bad.parquet: row "), (late, "range.start 2021-09-")):
        ended = (await server.watched(run.id))[-1]
        assert (ended.state, list(ended.files)) == (FAILED, [])
        assert ended.failure.startswith(words) and "\n" not in ended.failure
        assert not (server.runs / run.id / "results").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os._exit(3)", "its process ended unexpectedly"),
        ("raise RuntimeError('no luck')", "strategy 'slow' "),
    ],
)
async def test_strategy_that_breaks_fails_its_run_and_the_next_one_is_made(
    server: Server, code: str, words: str
) -> None:
    usual = server.settings[0]
    server.use(SLOW.replace("time.sleep(600)", code))
    broken = await server.backtest()
    server.settings[0] = usual
    following = await server.backtest()
    ended = (await server.watched(broken.id))[-1]
    assert ended.state == FAILED and words in ended.failure
    assert (await server.watched(following.id))[-1].state == DONE


async def test_run_at_work_is_nice_and_knows_no_secret(server: Server) -> None:
    server.use(SLOW)
    run = await server.backtest()
    waiting = await server.backtest()
    await server.at_work(run.id)
    [process] = children()
    assert os.getpriority(os.PRIO_PROCESS, process) == min(19, 10 + os.nice(0))
    assert SECRET.encode() not in Path(f"/proc/{process}/environ").read_bytes()
    stored = [path for path in server.runs.rglob("*") if path.is_file()]
    assert server.runs / waiting.id / "order.json" in stored
    assert not any(SECRET.encode() in path.read_bytes() for path in stored)
    assert server.runs.stat().st_mode & 0o777 == 0o700


async def test_cancelled_run_at_work_ends_soon_and_leaves_nothing(server: Server) -> None:
    server.use(SLOW)
    run = await server.backtest()
    await server.at_work(run.id)
    began = time.monotonic()
    assert await server.cancel(run.id) == f"run {run.id} is cancelled"
    assert time.monotonic() - began < 5
    assert (await server.get(run.id)).state == CANCELLED
    assert children() == []
    assert not (server.runs / run.id / "results").exists()
    with pytest.raises(grpc.aio.AioRpcError, match="has ended: it is cancelled") as refused:
        await server.cancel(run.id)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_cancelled_run_that_does_not_listen_is_killed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_module, "CANCEL_SECONDS", 0.5)
    deaf = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); time.sleep(600)"
    server.use(SLOW.replace("time.sleep(600)", deaf))
    run = await server.backtest()
    await server.at_work(run.id)
    assert await server.cancel(run.id) == f"run {run.id} is cancelled"
    assert children() == []


async def test_cancelled_queued_run_is_never_begun(server: Server) -> None:
    server.use(SLOW)
    first, second = await server.backtest(), await server.backtest()
    assert await server.cancel(second.id) == f"run {second.id} is cancelled"
    assert await server.cancel(first.id) == f"run {first.id} is cancelled"
    cancelled = await server.get(second.id)
    assert cancelled.state == CANCELLED and not cancelled.HasField("started_at")


async def test_queue_that_is_full_refuses_another_run(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_module, "MOST_QUEUED", 2)
    server.use(SLOW)
    await server.at_work((await server.backtest()).id)
    await server.backtest()
    await server.backtest()
    with pytest.raises(grpc.aio.AioRpcError, match="2 runs wait already") as refused:
        await server.backtest()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_engine_that_starts_again_shows_the_run_at_work_as_failed_and_makes_the_queued_one(
    server: Server,
) -> None:
    usual = server.settings[0]
    server.use(SLOW)
    at_work = await server.backtest()
    server.settings[0] = usual
    queued = await server.backtest()
    await server.at_work(at_work.id)
    await server.manager.close()
    assert children() == []
    again = RunManager(server.runs, server.candles, Settings, Clock(), lambda _run: None)
    again.start()
    failed = again.run(at_work.id)
    assert (failed.state, failed.failure) == (FAILED, ENGINE_ENDED)
    *_, done = [run async for run in again.watch(queued.id)]
    assert done.state == DONE and done.title == queued.title and list(done.files) == FILES
    await again.close()
    third = RunManager(server.runs, server.candles, Settings, Clock(), lambda _run: None)
    third.start()
    assert third.runs() == [done, failed]
    await third.close()


async def test_engine_that_was_killed_shows_the_run_at_work_as_failed(server: Server) -> None:
    server.use(SLOW)
    run = await server.at_work((await server.backtest()).id)
    again = RunManager(server.runs, server.candles, Settings, Clock(), lambda _run: None)
    again.start()
    assert (again.run(run.id).state, again.run(run.id).failure) == (FAILED, ENGINE_ENDED)
    await again.close()


def test_run_whose_engine_was_killed_ends_too(candles: Path, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text(SLOW)
    strategies = [{"name": "slow", "type": "slow", "path": str(file)}]
    order = Order({"strategies": strategies}, (("BTC/USDT", "btc.parquet"),), None, None)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "control.runs.child", str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=candles,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(line_of(order))
    process.stdin.flush()
    while b"signals" not in process.stdout.readline():
        assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) == 0
    assert process.stdout.read() == b'{"type":"Cancelled"}\n'
    process.stdout.close()


async def test_run_whose_process_is_killed_has_failed(server: Server) -> None:
    server.use(SLOW)
    run = await server.backtest()
    await server.at_work(run.id)
    os.kill(children()[0], signal.SIGKILL)
    ended = (await server.watched(run.id))[-1]
    assert ended.state == FAILED and "ended unexpectedly" in ended.failure


async def test_runs_are_listed_newest_first_in_pages_and_by_kind(server: Server) -> None:
    server.use(SLOW)
    ids = [(await server.backtest()).id for _ in range(5)][::-1]
    found: list[str] = []
    token = ""
    while token or not found:
        request = run_pb2.ListRunsRequest(page=common_pb2.Page(size=2, token=token))
        answer = await server.stub.ListRuns(request, metadata=TOKEN)
        found += [run.id for run in answer.runs]
        token = answer.next_page_token
    assert found == ids
    sweeps = run_pb2.ListRunsRequest(kind=run_pb2.RUN_KIND_SWEEP)
    assert not (await server.stub.ListRuns(sweeps, metadata=TOKEN)).runs


async def test_oldest_ended_runs_are_removed_when_there_are_too_many(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_module, "MOST_KEPT", 3)
    server.use(SLOW)
    ids = []
    for _ in range(5):
        ids.append((await server.backtest()).id)
        await server.cancel(ids[-1])
    assert [run.id for run in server.manager.runs()] == ids[:1:-1]
    assert sorted(path.name for path in server.runs.iterdir()) == ids[2:]


async def test_watched_run_is_told_at_most_five_times_a_second(server: Server) -> None:
    server.use(SLOW)
    run = await server.at_work((await server.backtest()).id)
    times: list[float] = []

    async def watch() -> None:
        async for _ in server.stub.WatchRun(run_pb2.WatchRunRequest(id=run.id), metadata=TOKEN):
            times.append(time.monotonic())

    watching = asyncio.create_task(watch())
    for percent in range(100):
        server.manager._change(server.manager.run(run.id), progress_percent=percent)
        await asyncio.sleep(0.01)
    await server.cancel(run.id)
    await watching
    assert 3 <= len(times) <= 2 + 5 * (times[-1] - times[0])


async def test_same_command_sent_twice_is_one_run(server: Server) -> None:
    server.use(SLOW)
    request = run_pb2.StartBacktestRequest(request_id="the-same-one", data=[BTC])
    first = await server.stub.StartBacktest(request, metadata=TOKEN)
    assert await server.stub.StartBacktest(request, metadata=TOKEN) == first
    assert [run.id for run in server.manager.runs()] == [first.run.id]


@pytest.mark.parametrize("restarted", [False, True])
async def test_command_that_broke_off_after_its_run_was_made_finds_it(
    server: Server, store: Store, restarted: bool
) -> None:
    server.use(SLOW)
    request = run_pb2.StartBacktestRequest(request_id="the-same-one", data=[BTC])
    first = (await server.stub.StartBacktest(request, metadata=TOKEN)).run
    store.perform(forget_the_end)
    if restarted:
        await server.manager.close()
        server.manager.start()
    (server.candles / "btc.parquet").unlink()
    again = (await server.stub.StartBacktest(request, metadata=TOKEN)).run
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert [run.id for run in server.manager.runs()] == [first.id]


async def test_file_that_is_extended_is_read_again(server: Server) -> None:
    before = server.manager.candles.files()["btc.parquet"]
    write_candles(server.candles / "btc.parquet", "BTC/USDT", timeframe_ms=4 * HOUR_MS, count=700)
    after = server.manager.candles.files()["btc.parquet"]
    assert (before.timeframe, after.timeframe) == ("1h", "4h")
