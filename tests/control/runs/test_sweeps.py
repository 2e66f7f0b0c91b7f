"""Sweeps over the control plane, on Rays of their own."""

import json
from io import BytesIO

import polars as pl
import pytest

from autotrader.v1 import run_pb2
from tests.control.runs.conftest import SLOW, Server

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]
COUNTING = SLOW.replace("import VectorStrategy", "import Integer, VectorStrategy").replace(
    "class Slow(VectorStrategy):", "class Slow(VectorStrategy):\n    level = Integer(0, low=0, high=100)"
)


async def test_sweep_watched_to_its_end_has_the_best_the_verdict_and_its_files(server: Server) -> None:
    run = await server.sweep(
        ("cross.fast", "2:8:2"), ("cross.slow", "10,20"), ("risk.position_size_percent", "20"), walk_forward=1
    )
    assert run.kind == run_pb2.RUN_KIND_SWEEP
    seen = await server.watched(run.id)
    done = seen[-1]
    assert done.state == run_pb2.RUN_STATE_DONE, done.failure
    assert any("of 16 trials" in each.progress_text for each in seen)
    summary = json.loads(b"".join(await server.download(run.id, "summary.json")))
    best = summary["best"]
    assert done.best == {key: str(value) for key, value in best["params"].items()}
    assert done.verdict == summary["luck"]["sentence"]
    shown = {name: value for name, value in best["figures"].items() if value is not None}
    assert shown.items() <= dict(done.figures).items()
    assert len(done.equity_quote) == 200
    trials = pl.read_parquet(BytesIO(b"".join(await server.download(run.id, "trials.parquet"))))
    assert trials.height == 8
    assert {"best.toml", "report.html", "summary.json", "trials.parquet", "walk_forward.parquet"} <= set(
        done.files
    )
    assert not any(name.endswith(".partial") for name in done.files)


async def test_cancelled_sweep_at_work_ends_with_its_workers(server: Server) -> None:
    server.use(COUNTING)
    run = await server.sweep(("slow.level", "0:29:1"))
    await server.watched(run.id, lambda each: each.progress_text.startswith("0 of 30 trials"))
    assert await server.cancel(run.id) == f"run {run.id} is cancelled"
    assert not (server.runs / run.id / "results").exists()


async def test_sweep_too_long_for_its_candles_fails_in_the_words_of_the_request(server: Server) -> None:
    run = await server.sweep(("cross.fast", "2,3"), ("cross.slow", "5000"))
    ended = (await server.watched(run.id))[-1]
    assert ended.state == run_pb2.RUN_STATE_FAILED
    assert ended.failure.startswith("data: the range ends after 600 candles")
