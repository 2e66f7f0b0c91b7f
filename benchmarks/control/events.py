"""From the commit of a journal entry to the subscriber who has it."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from autotrader.v1 import event_pb2, event_pb2_grpc
from benchmarks.control.commits import Commit, Commits, watched_commits
from benchmarks.control.engine import CALL_SECONDS, Engine, Line, line_to
from benchmarks.control.figures import Row, Target, figures_of
from trading.errors import OperationError

WITHIN_MS = 100.0
TOPICS = (event_pb2.TOPIC_CANDLES, event_pb2.TOPIC_DECISIONS, event_pb2.TOPIC_STATUS)

# The sequence up to which a message tells, and when it came.
Told = Commit


async def event_rows(engine: Engine, seconds: float) -> list[Row]:
    """Every commit within so many seconds."""
    async with line_to(engine) as line:
        run_id = (await line.until("its first candle", lambda status: status.candles > 0)).run_id
        async with aclosing(_messages(line)) as messages:
            # After the second message it is a stream of what is new.
            await anext(messages)
            await anext(messages)
            with watched_commits(engine.database, run_id) as commits:
                told = await _told(messages, seconds)
            while told[-1].sequence < _last(commits):
                told.append(await anext(messages))
    figures = figures_of(delays_ms(commits.seen, told))
    target = Target(f"p99 at most {WITHIN_MS:g} ms", figures.p99 or 0.0, WITHIN_MS)
    return [Row("event: commit to subscriber", "ms", figures, target=target)]


def delays_ms(commits: Sequence[Commit], told: Sequence[Told]) -> list[float]:
    """For each commit the time until a message told of it.

    Both are in order, and the last message tells of the last commit.
    """
    reached = [each.sequence for each in told]
    return [1000 * (told[bisect_left(reached, sequence)].at - at) for sequence, at in commits]


async def _told(messages: AsyncGenerator[Told, None], seconds: float) -> list[Told]:
    end = time.monotonic() + seconds
    told = [await anext(messages)]
    while time.monotonic() < end:
        told.append(await anext(messages))
    return told


def _last(commits: Commits) -> int:
    if not commits.seen:
        raise OperationError("the engine stored nothing while it was watched")
    return commits.seen[-1].sequence


async def _messages(line: Line) -> AsyncGenerator[Told, None]:
    """Every message. Raises OperationError for one that left events out, and for silence."""
    stub = event_pb2_grpc.EventServiceStub(line.channel)
    call = stub.Subscribe(event_pb2.SubscribeRequest(topics=TOPICS), metadata=line.metadata)
    try:
        while True:
            message = await asyncio.wait_for(call.read(), CALL_SECONDS)
            at = time.monotonic()
            if not isinstance(message, event_pb2.SubscribeResponse) or message.skipped:
                raise OperationError("the engine ended the stream, or left events out of it")
            yield Told(message.sequence, at)
    except TimeoutError:
        raise OperationError(f"the engine sent nothing for {CALL_SECONDS:g} s") from None
    finally:
        call.cancel()
