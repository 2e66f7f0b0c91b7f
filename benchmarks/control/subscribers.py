"""What many subscribers cost: a candle's way to its intents, and the control plane's processor and memory."""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from autotrader.v1 import engine_pb2
from benchmarks.control.commits import Commits, decided, watched_commits
from benchmarks.control.companion import companion
from benchmarks.control.engine import Engine, Line, line_to, running
from benchmarks.control.figures import Figures, Row, Target, figures_of
from trading.errors import OperationError

# About one message a second to each.
CANDLES_PER_SECOND = 1.0
CANDLE_MS = 3_600_000
TIMES = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Load:
    """Milliseconds from each candle to its intents; percent of a core and MB of the control process, looked
    at every second.

    With subscribers: each one's messages a second, and how many streams ended early.
    """

    candle: Figures
    cpu_percent: Figures
    memory_mb: Figures
    rates: tuple[float, ...] = ()
    ended: int = 0


def subscriber_rows(folder: Path, subscribers: int, seconds: float, say: Callable[[str], None]) -> list[Row]:
    """A new engine without anybody, then a new one with so many, each watched for so many seconds."""
    loads = []
    for number in (0, subscribers):
        say(f"{number} subscribers for {seconds:g} s")
        with running(folder / f"with-{number}", CANDLES_PER_SECOND) as engine:
            loads.append(asyncio.run(_load(engine, number, seconds)))
    return rows_of(*loads)


def rows_of(alone: Load, crowded: Load) -> list[Row]:
    """The engine with subscribers beside the engine without."""
    number, candle = len(crowded.rates), crowded.candle
    times = Target(f"p99 at most {TIMES:g} x without", (candle.p99 or 0.0) / (alone.candle.p99 or 1.0), TIMES)
    kept = Target("all", crowded.ended, 0)
    title, peer = f"{number} subscribers", "without"
    return [
        Row(f"{title}: candle to intent", "ms", candle, peer, alone.candle, times),
        Row(f"{title}: messages to each", "1/s", figures_of(crowded.rates)),
        Row(f"{title}: streams kept", "", Figures(number - crowded.ended), target=kept),
        Row(f"{title}: control's processor", "% core", crowded.cpu_percent, peer, alone.cpu_percent),
        Row(f"{title}: control's memory", "MB", crowded.memory_mb, peer, alone.memory_mb),
    ]


async def _load(engine: Engine, subscribers: int, seconds: float) -> Load:
    async with line_to(engine) as line:
        await line.until("its first candle with every actor seen", _is_known)
        if not subscribers:
            return await _watched(engine, line, seconds)
        question = {"target": engine.target, "token": line.token, "subscribers": subscribers}
        with companion("benchmarks.control.crowd") as crowd:
            await asyncio.to_thread(crowd.ask, question)
            load = await _watched(engine, line, seconds)
            answer = await asyncio.to_thread(crowd.ask, "how was it?")
    rates = tuple(count / answer["seconds"] for count in answer["messages"])
    return replace(load, rates=rates, ended=len(answer["ended"]))


async def _watched(engine: Engine, line: Line, seconds: float) -> Load:
    status = await line.status()
    with watched_commits(engine.database, status.run_id) as commits:
        cpu, memory = await _used(_actor(status, "control").process_id, seconds)
    median_ms = _actor(await line.status(), "risk").latency_p50_ms
    times = latencies_ms(commits, decided(engine.database, status.run_id), median_ms)
    if not times:
        raise OperationError(f"the engine decided nothing within {seconds:g} s")
    return Load(figures_of(times), figures_of(cpu), figures_of(memory))


def latencies_ms(commits: Commits, decisions: Iterable[tuple[int, int]], median_ms: float) -> list[float]:
    """How long each open time took, of those whose decisions were stored while the commits were watched.

    `decisions`: the sequence of an open time's decisions, and the open time.

    Candles come at even distances: how much later than another one was decided is seen from outside, and the
    median is what risk says. Risk's own p99 is that of its start, when the strategies are not there yet.
    """
    late = [
        1000 * (at - open_time_ms / CANDLE_MS / CANDLES_PER_SECOND)
        for sequence, open_time_ms in decisions
        if (at := commits.stored_at(sequence)) is not None
    ]
    middle = statistics.median(late) if late else 0.0
    return [median_ms + each - middle for each in late]


async def _used(process_id: int, seconds: float) -> tuple[list[float], list[float]]:
    """Percent of a core and MB of a process, each second for so long."""
    cpu, memory = [], []
    at, used = time.monotonic(), _cpu_seconds(process_id)
    end = at + seconds
    while at < end:
        await asyncio.sleep(min(1.0, end - at))
        now, used_now = time.monotonic(), _cpu_seconds(process_id)
        cpu.append(100 * (used_now - used) / (now - at))
        memory.append(_resident_mb(process_id))
        at, used = now, used_now
    return cpu, memory


def _is_known(status: engine_pb2.EngineStatus) -> bool:
    return status.candles > 0 and {"control", "risk"} <= {actor.name for actor in status.actors}


def _actor(status: engine_pb2.EngineStatus, name: str) -> engine_pb2.ActorStatus:
    return next(actor for actor in status.actors if actor.name == name)


def _cpu_seconds(pid: int) -> float:
    """The processor time of a process so far, its own and the kernel's for it."""
    with open(f"/proc/{pid}/stat") as file:
        # After the name, which may hold anything and ends with the last bracket.
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident_mb(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * _PAGE_MB
