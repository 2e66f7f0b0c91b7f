"""Streams through the whole server: at once, without gaps, without repeats, and only for those who read."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import jwt
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from actors.persistence.reader import Reader
from autotrader.v1 import event_pb2, market_pb2
from control.contract import SERVICES
from tests.control.server.test_admission import Forger, keys_of
from tests.support.control_client import PASSWORDS, Control, World, bearer, connected, path_of
from tests.support.control_process import EngineProcess
from trading.decisions import OutcomeDecided, TradeClosed
from trading.events import CandlesClosed, SignalsCollected

SUBSCRIBE = path_of("EventService/Subscribe")
EVERYTHING = [number for number in event_pb2.Topic.values() if number]
FACTS = [event_pb2.TOPIC_CANDLES, event_pb2.TOPIC_DECISIONS, event_pb2.TOPIC_TRADES]
# Small windows, so that who does not read is noticed soon.
SMALL = {"grpc.http2.lookahead_bytes": 4096, "grpc.http2.bdp_probe": 0}


@asynccontextmanager
async def subscribed(caller: Control, topics: Iterable[int], **fields: Any) -> AsyncIterator[Any]:
    """A subscription; it is cancelled at the end of the block."""
    request = event_pb2.SubscribeRequest(topics=list(topics), **fields)  # type: ignore[arg-type]
    call = stream_of(caller, request)
    try:
        yield call
    finally:
        call.cancel()


def stream_of(caller: Control, request: event_pb2.SubscribeRequest, seconds: float = 100) -> Any:
    """The call of a subscription."""
    channel: Any = caller.channel
    stream = channel.unary_stream(SUBSCRIBE, response_deserializer=event_pb2.SubscribeResponse.FromString)
    return stream(request.SerializeToString(), metadata=bearer(caller.token), timeout=seconds)


def seconds_of(moment: Any) -> int:
    return int(moment.seconds)


def told(messages: Iterable[event_pb2.SubscribeResponse]) -> Counter[tuple[str, ...]]:
    """The facts of a stream, and how often each was told."""
    found: Counter[tuple[str, ...]] = Counter()
    for event in (event for message in messages for event in message.events):
        match event.WhichOneof("kind"):
            case "candle":
                found["candle", event.candle.symbol, str(seconds_of(event.candle.open_time))] += 1
            case "decision":
                found["decision", event.decision.symbol, str(seconds_of(event.decision.open_time))] += 1
            case "trade":
                found["trade", event.trade.symbol, event.trade.exit_order_id] += 1
    return found


def facts_of(engine: EngineProcess) -> list[tuple[int, tuple[str, ...]]]:
    """The facts of the stored journal, with their entries' sequence."""
    reader = Reader.open(f"sqlite:///{engine.database}")
    found: list[tuple[int, tuple[str, ...]]] = []
    for entry in reader.entries(reader.runs()[-1].id):
        event, number = entry.event, entry.sequence
        if isinstance(event, CandlesClosed):
            opened = str(event.open_time_ms // 1000)
            found += [(number, ("candle", candle.symbol, opened)) for candle in event.candles]
        for decision in entry.decisions:
            if isinstance(decision, OutcomeDecided) and isinstance(event, SignalsCollected):
                found.append((number, ("decision", decision.symbol, str(event.open_time_ms // 1000))))
            elif isinstance(decision, TradeClosed):
                found.append((number, ("trade", decision.trade.symbol, decision.trade.exit_order_id)))
    reader.close()
    return found


def stored(
    facts: Iterable[tuple[int, tuple[str, ...]]], messages: list[event_pb2.SubscribeResponse]
) -> Counter[tuple[str, ...]]:
    """The facts after the first message and up to the last one."""
    after, last = messages[0].sequence, messages[-1].sequence
    return Counter(fact for number, fact in facts if after < number <= last)


async def read(call: Any, seconds: float) -> list[event_pb2.SubscribeResponse]:
    """What comes within so long."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        found.append(await call.read())
    return found


async def ending(call: Any, seconds: float) -> str:
    """How a stream ends, which it must within so long."""
    async with asyncio.timeout(seconds):
        try:
            while await call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError:
            pass
        code: grpc.StatusCode = await call.code()
    return code.name


async def test_first_message_comes_at_once_with_status_and_positions(viewer: Control) -> None:
    began = time.monotonic()
    async with subscribed(viewer, EVERYTHING) as call:
        first = await call.read()
    assert time.monotonic() - began < 1.0
    assert [event.WhichOneof("kind") for event in first.events][-2:] == ["status", "positions"]
    status = next(event.status for event in first.events if event.HasField("status"))
    assert (first.sequence, first.run_id, first.skipped) == (status.sequence, status.run_id, False)
    assert {each.symbol for each in status.symbols} == {"BTC/USDT", "ETH/USDT"}


async def test_stream_without_events_beats_every_two_seconds(viewer: Control) -> None:
    async with subscribed(viewer, [event_pb2.TOPIC_RUNS]) as call:
        last = time.monotonic()
        for _ in range(2):
            message = await call.read()
            assert not message.events
            assert time.monotonic() - last < 3.0
            last = time.monotonic()


async def test_resume_tells_every_stored_fact_exactly_once(viewer: Control, engine: EngineProcess) -> None:
    messages: list[event_pb2.SubscribeResponse] = []
    after, run_id = 0, 0
    for _ in range(4):
        async with subscribed(viewer, FACTS, after_sequence=after, run_id=run_id) as call:
            messages += await read(call, 0.7)
        assert not any(message.skipped for message in messages)
        after, run_id = messages[-1].sequence, messages[-1].run_id
        await asyncio.sleep(0.4)
    sequences = [message.sequence for message in messages]
    assert sequences == sorted(sequences)
    expected = stored(facts_of(engine), messages)
    assert sum(expected.values()) > 50
    assert told(messages) == expected


async def test_resume_of_another_run_or_of_what_will_be_says_that_it_skipped(viewer: Control) -> None:
    async with subscribed(viewer, FACTS) as call:
        now = await call.read()
    for after, run_id in ((1, now.run_id + 1), (now.sequence + 10**9, now.run_id)):
        async with subscribed(viewer, FACTS, after_sequence=after, run_id=run_id) as call:
            message = await call.read()
            assert message.skipped and message.sequence >= now.sequence
            assert not (await call.read()).skipped


async def test_stream_ends_with_its_token(viewer: Control, world: World, engine: EngineProcess) -> None:
    now = int(time.time())
    short = Forger(world.tokens["viewer"], keys_of(engine)).signed(exp=now + 3)
    assert jwt.decode(short, options={"verify_signature": False})["exp"] == now + 3
    async with subscribed(viewer.as_(short), EVERYTHING) as call:
        assert await ending(call, 3 + 5) == "UNAUTHENTICATED"


@pytest.mark.parametrize("how", ["revoked", "disabled", "signed out"])
async def test_stream_ends_within_five_seconds_when_its_session_does(how: str, admin: Control) -> None:
    name, password = f"stream.{how.split(maxsplit=1)[0]}", PASSWORDS["viewer"]
    await admin.command("AccountService/CreateAccount", name=name, role=1, password=password)
    tokens = await admin.sign_in(name, password)
    quiet = event_pb2.SubscribeRequest(topics=[event_pb2.TOPIC_RUNS])
    call = stream_of(admin.as_(tokens.access_token), quiet)
    await call.read()
    match how:
        case "revoked":
            await admin.command("SessionService/RevokeSession", id=tokens.caller.session_id)
        case "disabled":
            change = {"change": {"disabled": True}, "update_mask": {"paths": ["disabled"]}}
            await admin.command("AccountService/UpdateAccount", name=name, **change)
        case _:
            await admin.as_(tokens.access_token).read("SessionService/SignOut")
    assert await ending(call, 5) == "UNAUTHENTICATED"


async def test_subscriber_that_does_not_read_is_dropped_and_holds_nobody_up(
    viewer: Control, engine: EngineProcess
) -> None:
    everything = event_pb2.SubscribeRequest(topics=EVERYTHING)
    memory = engine.memory_mb()
    async with connected(engine.target, **SMALL) as slow, subscribed(viewer, FACTS) as reader:
        idle = [stream_of(slow.as_(viewer.token), everything) for _ in range(40)]
        assert all([(await call.read()).events for call in idle])
        messages = await read(reader, 12)
        assert not any(message.skipped for message in messages)
        assert told(messages) == stored(facts_of(engine), messages)
        assert engine.memory_mb() - memory < 40
        assert {await ending(call, 20) for call in idle} == {"RESOURCE_EXHAUSTED"}


async def test_two_hundred_subscribers_hear_everything(viewer: Control, engine: EngineProcess) -> None:
    async def listen(caller: Control) -> list[event_pb2.SubscribeResponse]:
        async with subscribed(caller, FACTS) as call:
            messages = [*await read(call, 1)]
            while len(told(messages)) <= 20:
                messages += await read(call, 1)
            return messages

    async with connected(engine.target) as one, connected(engine.target) as two:
        callers = [channel.as_(viewer.token) for channel in (one, two) for _ in range(100)]
        heard = await asyncio.gather(*map(listen, callers))
    facts = facts_of(engine)
    for messages in heard:
        assert not any(message.skipped for message in messages)
        expected = stored(facts, messages)
        assert told(messages) == expected and len(expected) > 20


async def test_candle_stream_gives_the_stored_candles_in_order(viewer: Control) -> None:
    channel: Any = viewer.channel
    stream = channel.unary_stream(
        path_of("MarketService/StreamCandles"),
        request_serializer=market_pb2.StreamCandlesRequest.SerializeToString,
        response_deserializer=market_pb2.StreamCandlesResponse.FromString,
    )
    call = stream(market_pb2.StreamCandlesRequest(symbols=["ETH/USDT"]), metadata=bearer(viewer.token))
    heard = [candle for _ in range(12) for candle in (await call.read()).candles]
    call.cancel()
    listed = await viewer.read("MarketService/ListCandles", symbol="ETH/USDT", limit=1000)
    kept = [each for each in listed.candles if each.open_time.seconds >= heard[0].open_time.seconds]
    assert [str(each) for each in kept[:12]] == [str(each) for each in heard]


async def test_deadline_of_the_caller_ends_a_stream(viewer: Control) -> None:
    call = stream_of(viewer, event_pb2.SubscribeRequest(topics=[event_pb2.TOPIC_RUNS]), seconds=0.5)
    assert await ending(call, 5) == "DEADLINE_EXCEEDED"


async def test_health_is_told_to_anybody(anybody: Control) -> None:
    stub: Any = health_pb2_grpc.HealthStub(anybody.channel)
    for service in ("", *SERVICES):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_is_for_those_who_are_signed_in(anybody: Control, viewer: Control) -> None:
    channel: Any = anybody.channel
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")

    async def requests() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield asked

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.ServerReflectionInfo(requests(), timeout=10).read()
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    answer = await stub.ServerReflectionInfo(requests(), metadata=bearer(viewer.token), timeout=10).read()
    listed = {service.name for service in answer.list_services_response.service}
    assert set(SERVICES) <= listed


async def test_resume_from_what_is_gone_says_that_it_skipped(viewer: Control) -> None:
    async with subscribed(viewer, FACTS) as call:
        run_id = (await call.read()).run_id
    async with asyncio.timeout(90):
        while True:
            async with subscribed(viewer, FACTS, after_sequence=1, run_id=run_id) as call:
                if (await call.read()).skipped:
                    return
            await asyncio.sleep(0.5)
