"""The kill switch: how long it takes, when everything is sold, and that nothing is bought meanwhile."""

import time
from collections.abc import Iterable
from secrets import token_hex

from actors.persistence.reader import Reader
from autotrader.v1 import common_pb2, engine_pb2, engine_pb2_grpc
from benchmarks.control.engine import CALL_SECONDS, Engine, Line, line_to
from benchmarks.control.figures import Row, Target, figures_of
from trading.decisions import AnyDecision, FillBooked, OrderIntended
from trading.errors import OperationError
from trading.events import Kill, ResetKill
from trading.journal import Entry
from trading.signals import Side

WITHIN_MS = 1000.0
REASON = "a benchmark"


async def kill_rows(engine: Engine, cycles: int) -> list[Row]:
    """So many times: trade, kill, wait until everything is sold, reset."""
    calls, sold = [], []
    async with line_to(engine) as line:
        await line.until("a position", _holds)
        for _ in range(cycles):
            start = time.perf_counter()
            await _kill(line)
            calls.append(1000 * (time.perf_counter() - start))
            await line.until("nothing held", _is_killed)
            sold.append(1000 * (time.perf_counter() - start))
            await _reset(line, engine.secret)
            run_id = (await line.until("a position", _holds)).run_id
    killed, trading = stored_buys(engine, run_id)
    if len(killed) != cycles:
        raise OperationError(f"{cycles} kills were given, and the journal holds {len(killed)}")
    return rows_of(calls, sold, killed, trading)


def rows_of(calls: list[float], sold: list[float], killed: list[float], trading: list[float]) -> list[Row]:
    """Milliseconds of each kill; BUY orders and fills while killed, beside those while it trades."""
    call = figures_of(calls)
    fast = Target(f"p99 at most {WITHIN_MS:g} ms", call.p99 or 0.0, WITHIN_MS)
    none = Target("none", sum(killed), 0)
    return [
        Row("kill: the command", "ms", call, target=fast),
        Row("kill: until nothing is held", "ms", figures_of(sold)),
        Row("kill: buys until the reset", "", figures_of(killed), "trading", figures_of(trading), none),
    ]


def buys_of(entries: Iterable[Entry]) -> tuple[list[float], list[float]]:
    """How many BUY orders were decided or filled between each kill and its reset, and in each time before,
    between and after."""
    killed: list[float] = []
    trading: list[float] = [0]
    now = trading
    for entry in entries:
        if isinstance(entry.event, Kill):
            now = killed
            now.append(0)
        elif isinstance(entry.event, ResetKill):
            now = trading
            now.append(0)
        now[-1] += sum(map(_is_buy, entry.decisions))
    return killed, trading


def stored_buys(engine: Engine, run_id: int) -> tuple[list[float], list[float]]:
    """`buys_of` the journal."""
    reader = Reader.open(f"sqlite:///{engine.database}")
    try:
        return buys_of(reader.entries(run_id))
    finally:
        reader.close()


async def _kill(line: Line) -> None:
    stub = engine_pb2_grpc.EngineServiceStub(line.channel)
    request = engine_pb2.KillRequest(request_id=token_hex(16), reason=REASON)
    await stub.Kill(request, metadata=line.metadata, timeout=CALL_SECONDS)


async def _reset(line: Line, secret: str) -> None:
    stub = engine_pb2_grpc.EngineServiceStub(line.channel)
    proof = common_pb2.Reauthentication(local_secret=secret)
    request = engine_pb2.ResetKillSwitchRequest(
        request_id=token_hex(16), reason=REASON, reauthentication=proof
    )
    await stub.ResetKillSwitch(request, metadata=line.metadata, timeout=CALL_SECONDS)


def _holds(status: engine_pb2.EngineStatus) -> bool:
    return status.open_positions > 0


def _is_killed(status: engine_pb2.EngineStatus) -> bool:
    return status.state == engine_pb2.ENGINE_STATE_KILLED


def _is_buy(decision: AnyDecision) -> bool:
    match decision:
        case OrderIntended(order=order):
            return order.side is Side.BUY
        case FillBooked(fill=fill):
            return fill.side is Side.BUY
    return False
