"""The door's answers to raw ASGI requests, before a real gRPC server."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import unquote

import pytest
from google.rpc import status_pb2
from grpc import StatusCode

from autotrader.v1 import engine_pb2, event_pb2
from control.door import app as app_module
from control.door import asgi
from control.door.app import MESSAGE_BYTES, Door
from control.door.frames import frame
from tests.control.door.requests import GRPC_WEB, Pieces, Reply, ask, call, scope_of
from tests.control.door.upstream import (
    KILL,
    METHODS,
    REFUSAL,
    STATUS,
    SUBSCRIBE,
    Upstream,
    kill,
    messages_and_trailers,
    subscribe,
    until,
)

OK = {"grpc-status": "0"}


def code_of(reply: Reply) -> StatusCode:
    """The status of a gRPC-web answer, which is always HTTP 200."""
    assert reply.status == 200
    assert reply.finished
    number = int(reply.trailers["grpc-status"])
    return next(code for code in StatusCode if code.value[0] == number)


async def test_unary_call_is_answered_with_message_and_trailers(door: Door) -> None:
    reply = await call(door, STATUS, frame(b""))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/grpc-web+proto"
    assert reply.headers["cache-control"] == "no-store"
    answer = engine_pb2.GetStatusResponse.FromString(reply.messages[0])
    assert (answer.status.quote, answer.status.run_id) == ("USDT", 7)
    assert reply.trailers == OK


async def test_unary_call_hands_on_token_program_and_address_alone(door: Door, upstream: Upstream) -> None:
    await call(
        door,
        STATUS,
        frame(b""),
        authorization="Bearer abc",
        user_agent="Fox",
        cookie="session=1",
        x_forwarded_for="127.0.0.1",
        x_real_ip="127.0.0.1",
        sec_fetch_site="same-origin",
    )
    own = {"user-agent", "grpc-accept-encoding", "accept-encoding"}
    assert {name: value for name, value in upstream.metadata.items() if name not in own} == {
        "authorization": "Bearer abc",
        "x-forwarded-for": "192.0.2.7",
        "x-user-agent": "Fox",
    }


async def test_unary_call_without_a_deadline_gets_a_minute(door: Door, upstream: Upstream) -> None:
    await call(door, STATUS, frame(b""))
    assert upstream.seconds_left is not None
    assert 50 < upstream.seconds_left < 61


async def test_unary_call_whose_deadline_passes_ends_upstream_too(door: Door, upstream: Upstream) -> None:
    reply = await call(door, KILL, kill("wait"), grpc_timeout="100m")
    assert code_of(reply) is StatusCode.DEADLINE_EXCEEDED
    await upstream.ended.wait()


async def test_stream_is_answered_message_by_message(door: Door) -> None:
    reply = await call(door, SUBSCRIBE, subscribe(5))
    answers = [event_pb2.SubscribeResponse.FromString(each) for each in reply.messages]
    assert [each.sequence for each in answers] == [1, 2, 3, 4, 5]
    assert reply.trailers == OK


async def test_stream_that_begins_sends_its_head_before_any_message(door: Door) -> None:
    reply, client = Reply(), Pieces([subscribe(0, "wait")])
    task = asyncio.create_task(door(scope_of("POST", SUBSCRIBE, GRPC_WEB), client, reply))
    await until(lambda: reply.status == 200)
    client.leave()
    await task


@pytest.mark.parametrize(
    ("path", "body", "messages"), [(KILL, kill("refuse"), 0), (SUBSCRIBE, subscribe(2, "refuse"), 2)]
)
async def test_refused_call_keeps_code_sentence_and_details(
    door: Door, path: str, body: bytes, messages: int
) -> None:
    reply = await call(door, path, body)
    assert code_of(reply) is StatusCode.FAILED_PRECONDITION
    assert len(reply.messages) == messages
    assert unquote(reply.trailers["grpc-message"]) == REFUSAL
    packed = reply.trailers["grpc-status-details-bin"]
    details = status_pb2.Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    assert details.message == REFUSAL
    assert b"ENOUGH" in details.details[0].value


async def test_text_call_is_read_and_answered_in_base64(door: Door) -> None:
    body = base64.b64encode(kill("reason"))
    reply = await call(door, KILL, body, content_type="application/grpc-web-text")
    assert reply.headers["content-type"] == "application/grpc-web-text+proto"
    messages, trailers = messages_and_trailers(base64.b64decode(reply.body))
    assert engine_pb2.KillResponse.FromString(messages[0]).result.message == "reason"
    assert trailers == OK


async def test_text_stream_is_base64_frame_by_frame(door: Door) -> None:
    body = base64.b64encode(subscribe(3))
    reply = await call(door, SUBSCRIBE, body, content_type="application/grpc-web-text+proto; charset=x")
    decoded = b"".join(base64.b64decode(each) for each in padded_pieces(reply.body))
    assert len(messages_and_trailers(decoded)[0]) == 3


def padded_pieces(text: bytes) -> list[bytes]:
    """Base64 pieces one after the other, cut behind their padding."""
    pieces, begin = [], 0
    for at in range(0, len(text), 4):
        if text[at + 3 : at + 4] == b"=" or at + 4 == len(text):
            pieces.append(text[begin : at + 4])
            begin = at + 4
    return pieces


async def test_call_that_comes_in_pieces_is_put_together(door: Door) -> None:
    whole = kill("reason")
    reply = await call(door, KILL, *(whole[at : at + 1] for at in range(len(whole))))
    assert code_of(reply) is StatusCode.OK


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (b"", StatusCode.INVALID_ARGUMENT, "0 bytes are no frame"),
        (b"\0\0\0\0", StatusCode.INVALID_ARGUMENT, "4 bytes are no frame"),
        (frame(b"abc")[:-1], StatusCode.INVALID_ARGUMENT, "says 3 bytes and has 2"),
        (frame(b"a") + frame(b"b"), StatusCode.INVALID_ARGUMENT, "follow the one frame"),
        (frame(b"a", 0x80), StatusCode.INVALID_ARGUMENT, "flags 0x80"),
        (frame(b"a", 0x01), StatusCode.UNIMPLEMENTED, "compressed"),
        (b"\0\xff\xff\xff\xff", StatusCode.INVALID_ARGUMENT, "says 4294967295 bytes"),
    ],
)
async def test_malformed_body_is_refused(door: Door, body: bytes, code: StatusCode, sentence: str) -> None:
    reply = await call(door, STATUS, body)
    assert code_of(reply) is code
    assert sentence in reply.trailers["grpc-message"]


async def test_bytes_that_are_no_message_are_the_services_to_refuse(door: Door) -> None:
    assert code_of(await call(door, KILL, frame(b"\xff\xff\xff"))) is not StatusCode.OK


async def test_compressed_body_is_refused(door: Door) -> None:
    assert code_of(await call(door, STATUS, frame(b""), content_encoding="gzip")) is StatusCode.UNIMPLEMENTED


async def test_largest_body_is_taken_and_one_byte_more_is_not(door: Door) -> None:
    padding = MESSAGE_BYTES - len(
        engine_pb2.KillRequest(reason="x" * (MESSAGE_BYTES - 8)).SerializeToString()
    )
    largest = engine_pb2.KillRequest(reason="x" * (MESSAGE_BYTES - 8 + padding)).SerializeToString()
    assert len(largest) == MESSAGE_BYTES
    assert code_of(await call(door, KILL, frame(largest))) is StatusCode.OK
    assert code_of(await call(door, KILL, frame(largest) + b"x")) is StatusCode.RESOURCE_EXHAUSTED


async def test_endless_body_is_refused_and_not_read_to_its_end(door: Door) -> None:
    pieces = Pieces([b"x" * 65_536] * 1000)
    reply = Reply()
    await door(scope_of("POST", KILL, GRPC_WEB), pieces, reply)
    assert code_of(reply) is StatusCode.RESOURCE_EXHAUSTED
    assert pieces.taken < 100


async def test_body_that_stops_coming_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.05)
    reply, silent = Reply(), Pieces([])
    await door(scope_of("POST", KILL, GRPC_WEB), silent, reply)
    assert code_of(reply) is StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    "path", ["/", "/autotrader.v1.EngineService/Nothing", "/a.B/C", STATUS + "/", "/../x"]
)
async def test_unknown_method_is_unimplemented(door: Door, path: str) -> None:
    assert code_of(await call(door, path, frame(b""))) is StatusCode.UNIMPLEMENTED


async def test_malformed_timeout_is_refused(door: Door) -> None:
    reply = await call(door, STATUS, frame(b""), grpc_timeout="soon")
    assert code_of(reply) is StatusCode.INVALID_ARGUMENT
    assert "grpc-timeout" in reply.trailers["grpc-message"]


@pytest.mark.parametrize(
    "kind", ["", "application/grpc", "application/grpc-web+json", "text/plain", "application/json"]
)
async def test_other_content_type_is_refused(door: Door, kind: str) -> None:
    reply = await call(door, STATUS, frame(b""), content_type=kind)
    assert reply.status == 415


@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_verb_on_a_method_is_refused(door: Door, verb: str) -> None:
    reply = await ask(door, verb, STATUS)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_writing_verb_on_a_file_is_refused(door: Door, verb: str) -> None:
    reply = await ask(door, verb, "/index.html")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("path", "body"), [(KILL, kill("wait")), (SUBSCRIBE, subscribe(1, "wait"))])
async def test_client_that_leaves_ends_the_call_upstream(
    door: Door, upstream: Upstream, path: str, body: bytes
) -> None:
    client, reply = Pieces([body]), Reply()
    task = asyncio.create_task(door(scope_of("POST", path, GRPC_WEB), client, reply))
    await until(lambda: upstream.open == 1)
    client.leave()
    await asyncio.wait_for(upstream.ended.wait(), 5)
    await asyncio.wait_for(task, 5)


async def test_client_that_leaves_within_its_body_makes_no_call(door: Door, upstream: Upstream) -> None:
    reply = Reply()
    cut: dict[str, object] = {"type": "http.request", "body": kill("wait")[:3], "more_body": True}
    left: dict[str, object] = {"type": "http.disconnect"}
    events = iter([cut, left])

    async def receive() -> dict[str, object]:
        return next(events)

    await door(scope_of("POST", KILL, GRPC_WEB), receive, reply)
    assert (reply.status, upstream.open) == (0, 0)


async def test_cancelled_request_ends_the_call_upstream_and_stays_cancelled(
    door: Door, upstream: Upstream
) -> None:
    client, reply = Pieces([kill("wait")]), Reply()
    task = asyncio.create_task(door(scope_of("POST", KILL, GRPC_WEB), client, reply))
    await until(lambda: upstream.open == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(upstream.ended.wait(), 5)


async def test_slow_reader_is_cut_and_its_call_ended(
    door: Door, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "WRITE_SECONDS", 0.1)
    cuts: list[int] = []

    async def stuck(event: object) -> None:
        if cuts or (isinstance(event, dict) and event["type"] == "http.response.body"):
            await asyncio.Event().wait()

    scope = scope_of("POST", SUBSCRIBE, GRPC_WEB)
    scope["extensions"][asgi.CUT] = lambda: cuts.append(1)
    await asyncio.wait_for(door(scope, Pieces([subscribe(1, "wait")]), stuck), 5)
    assert cuts == [1]
    await until(lambda: upstream.open == 0)


async def test_closed_door_ends_open_calls_with_unavailable_and_takes_no_more(
    door: Door, upstream: Upstream
) -> None:
    replies = [Reply(), Reply()]
    bodies = [(SUBSCRIBE, subscribe(1, "wait")), (KILL, kill("wait"))]
    tasks = [
        asyncio.create_task(door(scope_of("POST", path, GRPC_WEB), Pieces([body]), reply))
        for (path, body), reply in zip(bodies, replies, strict=True)
    ]
    await until(lambda: upstream.open == 2)
    await door.close()
    await asyncio.gather(*tasks)
    assert {code_of(reply) for reply in replies} == {StatusCode.UNAVAILABLE}
    assert code_of(await call(door, STATUS, frame(b""))) is StatusCode.UNAVAILABLE


async def test_call_beyond_the_most_that_are_open_is_refused(
    door: Door, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "MAX_CALLS", 1)
    client = Pieces([kill("wait")])
    task = asyncio.create_task(door(scope_of("POST", KILL, GRPC_WEB), client, Reply()))
    await until(lambda: upstream.open == 1)
    assert code_of(await call(door, STATUS, frame(b""))) is StatusCode.RESOURCE_EXHAUSTED
    client.leave()
    await task
    assert code_of(await call(door, STATUS, frame(b""))) is StatusCode.OK


async def test_server_that_is_away_is_unavailable_without_its_path(tmp_path: Path) -> None:
    alone = Door(tmp_path / "nobody.sock", METHODS)
    reply = await call(alone, STATUS, frame(b""))
    await alone.close()
    assert code_of(reply) is StatusCode.UNAVAILABLE
    assert reply.trailers["grpc-message"] == "the control plane does not answer"


async def test_websocket_is_closed(door: Door) -> None:
    sent = []

    async def send(event: object) -> None:
        sent.append(event)

    await door({"type": "websocket"}, Pieces([]), send)
    assert sent == [{"type": "websocket.close"}]
