"""The client library against a real server: signing in, tokens, errors, the stream."""

import asyncio
from pathlib import Path

import grpc
import pytest

from autotrader.v1 import access_pb2, engine_pb2, event_pb2, risk_pb2, run_pb2, session_pb2
from tests.tui.server import PASSWORD, SECRET, ControlServer
from tui.client import (
    Back,
    BadCredentials,
    BadTarget,
    Client,
    ControlError,
    Lost,
    NoEngine,
    SignInNeeded,
    Unreachable,
    connect,
    find_target,
    request_id,
)
from tui.client.subscription import Subscription

STATUS = engine_pb2.GetStatusRequest()


async def test_call_with_credential_file_signs_in_by_itself(server: ControlServer) -> None:
    async with connect(server.address) as client:
        answer = await client.engine.GetStatus(STATUS)
    assert answer.status.equity_quote == "10482.37"
    assert client.local
    assert client.caller.role == access_pb2.ROLE_ADMIN
    assert client.reauthentication().local_secret == SECRET


async def test_call_after_token_ended_signs_in_anew_once(server: ControlServer) -> None:
    async with connect(server.address) as client:
        await client.engine.GetStatus(STATUS)
        server.told.tokens.clear()
        await asyncio.gather(*(client.engine.GetStatus(STATUS) for _ in range(5)))
    assert len(server.told.asked(session_pb2.SignInLocallyRequest)) == 2


async def test_call_after_password_sign_in_uses_each_refresh_token_once(server: ControlServer) -> None:
    async with connect(server.address) as client:
        caller = await client.sign_in("ada", PASSWORD)
        assert caller.name == "ada"
        for _ in range(3):
            server.told.tokens.clear()
            await asyncio.gather(*(client.engine.GetStatus(STATUS) for _ in range(3)))
        assert not client.local
    used = [request.refresh_token for request in server.told.asked(session_pb2.RefreshTokensRequest)]
    assert used == ["refresh-1", "refresh-2", "refresh-3"]


async def test_call_after_session_was_ended_asks_to_sign_in(server: ControlServer) -> None:
    async with connect(server.address) as client:
        await client.sign_in("ada", PASSWORD)
        server.told.tokens.clear()
        server.told.refresh_tokens.clear()
        with pytest.raises(SignInNeeded, match="sign in again"):
            await client.engine.GetStatus(STATUS)


async def test_sign_in_with_wrong_password_raises_sentence(server: ControlServer) -> None:
    async with connect(server.address) as client:
        with pytest.raises(ControlError, match="do not fit") as caught:
            await client.sign_in("ada", "wrong")
    assert caught.value.reason == "WRONG_PASSWORD"


async def test_call_with_ready_token_of_environment_uses_it(
    server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.told.tokens.add("given")
    monkeypatch.setenv("AUTOTRADER_TOKEN", "given")
    async with connect(server.address) as client:
        await client.engine.GetStatus(STATUS)
        server.told.tokens.clear()
        with pytest.raises(SignInNeeded, match="AUTOTRADER_TOKEN is not valid"):
            await client.engine.GetStatus(STATUS)
    assert not server.told.asked(session_pb2.SignInLocallyRequest)


async def test_call_without_any_credential_asks_to_sign_in(
    server: ControlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    async with connect(server.address) as client:
        with pytest.raises(SignInNeeded, match="not signed in"):
            await client.engine.GetStatus(STATUS)


async def test_call_without_engine_says_how_to_start_one(server: ControlServer) -> None:
    await server.stop()
    async with connect(server.address) as client:
        with pytest.raises(NoEngine) as caught:
            await client.engine.GetStatus(STATUS)
    assert str(caught.value) == f"no engine at {server.address}; start one with `autotrader run`"


async def test_refused_command_raises_code_reason_field_and_sentence(server: ControlServer) -> None:
    server.told.refusals["ClosePosition"] = (
        grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", "symbol: DOGE/USDT is not traded", "symbol",
    )  # fmt: skip
    async with connect(server.address) as client:
        with pytest.raises(ControlError) as caught:
            request = engine_pb2.ClosePositionRequest(request_id=request_id(), symbol="DOGE/USDT")
            await client.engine.ClosePosition(request)
    error = caught.value
    assert (error.code, error.reason, error.field) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", "symbol")
    assert error.sentence == str(error) == "symbol: DOGE/USDT is not traded"


async def test_stream_after_token_ended_signs_in_anew(server: ControlServer) -> None:
    async with connect(server.address) as client:
        await client.engine.GetStatus(STATUS)
        server.told.tokens.clear()
        told = [answer async for answer in client.runs.WatchRun(run_pb2.WatchRunRequest(id="r2"))]
    assert [answer.run.id for answer in told] == ["r2"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_credential_file_open_to_others_is_refused(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server = ControlServer()
    server.port = 50051
    server.write_credential(tmp_path).chmod(mode)
    with pytest.raises(BadCredentials, match="must be a file of yours with mode 0600"):
        find_target("127.0.0.1:50051")


def test_credential_file_that_is_a_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server = ControlServer()
    server.port = 50051
    path = server.write_credential(tmp_path)
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))
    with pytest.raises(BadCredentials):
        find_target("127.0.0.1:50051")


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json", '{"secret": ""}'])
def test_credential_file_without_secret_is_refused(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server = ControlServer()
    server.port = 50051
    server.write_credential(tmp_path).write_text(content)
    with pytest.raises(BadCredentials, match="holds no secret"):
        find_target("127.0.0.1:50051")


@pytest.mark.parametrize("text", ["nonsense", "host:", "host:0", "host:70000", "host:x", ":::", "host:-1"])
def test_target_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadTarget, match="HOST:PORT"):
        find_target(text)


@pytest.mark.parametrize(
    ("text", "address", "tls"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", False),
        ("localhost:1", "localhost:1", False),
        ("[::1]:1", "[::1]:1", False),
        ("0.0.0.0:1", "127.0.0.1:1", False),
        ("trader.example:1", "trader.example:1", True),
        ("192.0.2.7:1", "192.0.2.7:1", True),
    ],
)
def test_target_beyond_this_machine_has_tls(
    text: str, address: str, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    target = find_target(text)
    assert (target.address, target.tls, target.local) == (address, tls, not tls)


def test_target_with_missing_ca_is_refused_with_its_name(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(BadTarget, match=r"ca\.pem cannot be read"):
        Client(find_target("127.0.0.1:50051", tls_ca=str(missing)))


async def test_subscription_over_server_going_away_resumes_after_last_message(server: ControlServer) -> None:
    async with connect(server.address) as client:
        updates = client.subscribe([event_pb2.TOPIC_STATUS])
        first = await anext(updates)
        assert isinstance(first, event_pb2.SubscribeResponse)
        await server.stop()
        while not isinstance(item := await anext(updates), Lost):
            assert isinstance(item, event_pb2.SubscribeResponse)
        assert "broke" in item.reason or "no engine" in item.reason
        server.told.publish(status=server.told.status)
        await server.start()
        assert isinstance(await anext(updates), Back)
        again = await anext(updates)
    assert isinstance(again, event_pb2.SubscribeResponse)
    assert again.sequence == first.sequence + 1
    asked = server.told.asked(event_pb2.SubscribeRequest)[-1]
    assert (asked.after_sequence, asked.run_id) == (first.sequence, 1)


async def test_subscription_after_token_ended_goes_on_silently(server: ControlServer) -> None:
    async with connect(server.address) as client:
        updates = client.subscribe([event_pb2.TOPIC_STATUS])
        await anext(updates)
        server.told.tokens.clear()
        server.told.publish(status=server.told.status)
        second = await anext(updates)
    assert isinstance(second, event_pb2.SubscribeResponse)
    assert second.events
    assert len(server.told.asked(event_pb2.SubscribeRequest)) == 2


async def test_subscription_to_silent_server_is_lost(server: ControlServer) -> None:
    async with connect(server.address) as client:
        updates = Subscription(
            client._events, client._session, client.target, [event_pb2.TOPIC_STATUS], (), silence_seconds=0.3
        ).updates()
        await anext(updates)
        server.told.silent = True
        item = await anext(updates)
    assert isinstance(item, Lost)
    assert "silent for 0.3 s" in item.reason


async def test_subscription_that_is_refused_for_good_raises(server: ControlServer) -> None:
    server.told.refusals["Subscribe"] = (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID",
        "topics: none is named",
        "topics",
    )
    async with connect(server.address) as client:
        with pytest.raises(ControlError, match="topics: none"):
            await anext(client.subscribe([]))


async def test_silent_engine_is_given_up_after_the_deadline(server: ControlServer) -> None:
    hung = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = hung.sockets[0].getsockname()[1]
    async with connect(f"127.0.0.1:{port}") as client:
        with pytest.raises(Unreachable):
            await client.risk.GetLimits(risk_pb2.GetLimitsRequest(), timeout=0.2)
    hung.close()


def test_request_ids_are_fresh_and_fit_the_contract() -> None:
    made = {request_id() for _ in range(100)}
    assert len(made) == 100
    assert all(8 <= len(each) <= 64 and each.isalnum() for each in made)
