"""Runs that cannot be: refused before they are queued, by the field; never an unexpected error."""

import os
import random
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from autotrader.v1 import common_pb2, run_pb2
from control.rows import timestamp
from tests.control.runs.conftest import BTC, ETH, SLOW, TOKEN, Server, pairs

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
Backtest = run_pb2.StartBacktestRequest
Sweep = run_pb2.StartSweepRequest
File = run_pb2.SymbolFile
Page = common_pb2.Page
RANDOM = run_pb2.SWEEP_METHOD_RANDOM
NO_KIND: Any = 9
GRID = pairs((("cross.fast", "2:8:2"), ("cross.slow", "10,20")))
NAMES_OUTSIDE = (
    "../outside.parquet",
    "more/../../outside.parquet",
    "./btc.parquet",
    "/etc/passwd",
    "link.parquet",
    "notes.csv",
    "more",
    "",
    "btc.parquet/",
    "..\\outside.parquet",
    "BTC.parquet",
)


def backtest(*changes: tuple[str, str], data: Sequence[File] = (BTC,), **facts: Any) -> Backtest:
    return Backtest(request_id="command-1", data=data, settings=pairs(changes), **facts)


def sweep(*changes: tuple[str, str], **facts: Any) -> Sweep:
    return Sweep(request_id="command-1", data=[BTC], settings=pairs(changes) or GRID, **facts)


REFUSED = [
    (backtest(data=[]), INVALID, "data", "has 0 symbols; 1 to 50 are allowed"),
    (backtest(data=[BTC] * 51), INVALID, "data", "has 51 symbols"),
    (backtest(data=[BTC, BTC]), INVALID, "data", "BTC/USDT is there twice"),
    (backtest(data=[BTC, File(symbol="ETH/USDT", file="minutes.parquet")]), INVALID, "data[1].file",
     "its timeframe is 1m, that of btc.parquet 1h"),
    (backtest(data=[File(symbol="ETH/USDT", file="btc.parquet")]), INVALID, "data[0].symbol",
     "btc.parquet holds candles of BTC/USDT, not of ETH/USDT"),
    (backtest(data=[File(symbol="btc", file="btc.parquet")]), INVALID, "data[0].symbol", "is not BASE/QUOTE"),
    *((backtest(data=[BTC, File(symbol="ETH/USDT", file=name)]), MISSING, "data[1].file",
       "there is no candle file") for name in NAMES_OUTSIDE),
    (backtest(range={"start": timestamp(2000), "end": timestamp(2000)}), INVALID, "range.end",
     "is not after range.start"),
    (backtest(("cros.fast", "5")), INVALID, "settings[0].key", "did you mean 'cross'?"),
    (backtest(("cross.fast", "5"), ("cross.fast", "6")), INVALID, "settings[1].key", "is there twice"),
    (backtest(("risk.stop_loss_percent", "-1")), INVALID, "settings[0]", "from 0 to 100"),
    (backtest(("risk.stop_loss_percent", "1e999999999")), INVALID, "settings[0]", "from 0 to 100"),
    (backtest(("risk.stop_loss_percent", "1:5:1")), INVALID, "settings[0]", "from 0 to 100"),
    (backtest(("risk.stop_los", "1")), INVALID, "settings[0]", "did you mean 'stop_loss_percent'?"),
    (backtest(("cross.fats", "5")), INVALID, "settings", "did you mean 'fast'?"),
    (backtest(("cross.fast", "90")), INVALID, "settings", "strategies.cross"),
    (backtest(("market.BTC/USDT.tick", "0")), INVALID, "settings[0]", "tick"),
    (backtest(("cross.path", "/tmp/evil.py")), INVALID, "settings[0].key", "path cannot be swept"),
    (backtest(("cross.type", "technical")), INVALID, "settings[0].key", "type cannot be swept"),
    (backtest(("strategies", '[{"name":"a","type":"a","path":"/tmp/evil.py"}]')), INVALID,
     "settings[0].key", "it changes nothing"),
    (backtest(("exchange.api_key", "x")), INVALID, "settings[0].key", "it changes nothing"),
    (backtest(("database.url", "sqlite:///x")), INVALID, "settings[0].key", "it changes nothing"),
    (backtest(("engine.symbols", "BTC/USDT")), INVALID, "settings[0].key", "it changes nothing"),
    (backtest(("", "")), INVALID, "settings[0].key", "there is no section"),
    (backtest(*((f"cross.p{n}", "1") for n in range(101))), INVALID, "settings", "at most 100"),
    (sweep(("risk.stop_loss_percent", "3")), INVALID, "settings", "nothing to sweep"),
    (sweep(("risk.stop_loss_percent", "3"), ("cross.fats", "1:5:1")), INVALID, "settings[1]",
     "sma_cross has no parameter 'fats'; did you mean 'fast'?"),
    (sweep(("cross.fast", "5:1:1")), INVALID, "settings[0]", "the range is reversed"),
    (sweep(("cross.fast", "1,2,,3")), INVALID, "settings[0]", "a value is missing"),
    (sweep(("cross.fast", "2..8")), INVALID, "settings", "a grid needs steps"),
    (sweep(("cross.path", "a.py,b.py")), INVALID, "settings[0]", "path cannot be swept"),
    (sweep(("technical.nothing", "1"), ("cross.fast", "2,3")), INVALID, "settings", "technical"),
    (sweep(("cross.fast", "1:5000:1"), ("cross.slow", "2:5000:1")), INVALID, "settings",
     "at most 100,000 are allowed"),
    (sweep(trials=3), INVALID, "trials", "a grid makes all of its 8 trials"),
    (sweep(trials=-1), INVALID, "trials", "-1 is not within 1 to 100000"),
    (sweep(trials=100_001), INVALID, "trials", "100001 is not within"),
    (sweep(objective="shape"), INVALID, "objective", "did you mean 'sharpe'?"),
    (sweep(method=7), INVALID, "method", "7 is not known"),
    (sweep(walk_forward=-2), INVALID, "walk_forward", "-2 is not within 1 to 100"),
    (sweep(("cross.fast", "1:5000:1"), ("cross.slow", "2:5000:1"), method=RANDOM, trials=90_000,
           walk_forward=50), INVALID, "walk_forward", "are too many"),
    (sweep(workers=(os.cpu_count() or 1) + 1), INVALID, "workers", "is not within 1 to"),
    (run_pb2.GetRunRequest(id="../x"), MISSING, "id", "there is no run '../x'"),
    (run_pb2.WatchRunRequest(id=""), MISSING, "id", "there is no run ''"),
    (run_pb2.CancelRunRequest(request_id="command-1", id="20200101T000000-0000"), MISSING, "id", "no run"),
    (run_pb2.DownloadRunFileRequest(id="1", file="run.json"), MISSING, "id", "no run"),
    (run_pb2.ListRunsRequest(page=Page(token="' OR 1=1")), INVALID, "page.token", "next_page_token"),
    (run_pb2.ListRunsRequest(page=Page(size=-1)), INVALID, "page.size", "-1 is not within"),
    (run_pb2.ListRunsRequest(kind=NO_KIND), INVALID, "kind", "9 is not known"),
]  # fmt: skip


async def sent(server: Server, request: Message) -> Any:
    """The answer to a request, the first of a stream."""
    method = getattr(server.stub, type(request).__name__.removesuffix("Request"))
    call = method(request, metadata=TOKEN)
    if not isinstance(call, grpc.aio.UnaryStreamCall):
        return await call
    async for answer in call:
        call.cancel()
        return answer


@pytest.mark.parametrize(("request_", "code", "field", "words"), REFUSED)
async def test_a_wrong_request_is_refused_by_its_field(
    server: Server, request_: Message, code: grpc.StatusCode, field: str, words: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sent(server, request_)
    assert words in str(refused.value.details())
    assert "--" not in str(refused.value.details())
    assert refused.value.code() is code
    status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]
    violation = error_details_pb2.BadRequest()
    assert status is not None and status.details[1].Unpack(violation)
    assert violation.field_violations[0].field == field
    assert server.manager.runs() == [] and not server.runs.exists()


async def test_only_listed_files_of_a_run_are_given_out(server: Server) -> None:
    run = (await server.watched((await server.backtest()).id))[-1]
    assert (server.runs / run.id / "run.json").exists()
    for name in ("../run.json", "run.json", "../errors.txt", "", "/etc/passwd", "./trades.csv"):
        with pytest.raises(grpc.aio.AioRpcError, match=r"it has decisions\.parquet, ") as refused:
            await server.download(run.id, name)
        assert refused.value.code() is MISSING
    (server.runs / run.id / "results" / "trades.csv").unlink()
    with pytest.raises(grpc.aio.AioRpcError, match="is not there any more"):
        await server.download(run.id, "trades.csv")


TEXTS = (
    "", "x", "BTC/USDT", "ETH/USDT", "btc.parquet", "more/eth.parquet", "../outside.parquet", "cross.fast",
    "cross", "cross.", ".", "..", "strategies.cross", "strategies.cross.params.fast.x", "market..tick",
    "market.BTC/USDT.lot", "risk.stop_loss_percent", "risk", "cross.weight", "cross.params", "engine",
    "1", "-1", "1e400", "NaN", "null", "true", "[1]", "{}", '{"a":1}', "5:50:5", "1..2", "1,2", "0:1:0",
    "1:1:1", "a..b", "..", "1:2", ",", "9" * 900, "1e99999999999999999999", "9" * 15 + ":1:1",
    "0:" + "9" * 15 + ":0.000000000001", "\x00", "\x1b[31m", "\u202e", "' OR 1=1 --", "😀", "sharpe",
    "20200913T122640-0000", "trades.csv", "command-1234", "\u0663:\u0665:\u0661",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 99, 2**31 - 1, -(2**31))
REQUESTS = (
    run_pb2.ListCandleFilesRequest, Backtest, Sweep, run_pb2.ListRunsRequest, run_pb2.GetRunRequest,
    run_pb2.WatchRunRequest, run_pb2.CancelRunRequest, run_pb2.DownloadRunFileRequest,
)  # fmt: skip
EXPECTED = {
    INVALID, MISSING, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
}  # fmt: skip


def random_request(kind: Any, chance: random.Random) -> Any:
    """A message with anything in it, often nearly right."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if chance.random() < 0.3:
            continue
        if field.name == "data" and chance.random() < 0.8:
            message.data.extend(chance.choice([[BTC], [ETH], [BTC, ETH]]))
        elif field.is_repeated:
            made = [random_request(field.message_type._concrete_class, chance) for _ in range(2)]
            getattr(message, field.name).extend(made[: chance.randrange(3)])
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(random_request(field.message_type._concrete_class, chance))
        elif field.name == "request_id" and chance.random() < 0.9:
            message.request_id = f"command-{chance.randrange(10**9)}"
        elif field.cpp_type == field.CPPTYPE_STRING:
            setattr(message, field.name, chance.choice(TEXTS))
        else:
            setattr(message, field.name, chance.choice(NUMBERS))
    return message


async def test_any_request_is_answered_or_refused_and_never_unexpected(server: Server) -> None:
    server.use(SLOW)
    server.settings[0] = server.settings[0].model_copy(
        update={"strategies": (*server.settings[0].strategies, *type(server.settings[0])().strategies)}
    )
    chance = random.Random(3)
    answered = 0
    for _ in range(1_500):
        request = random_request(chance.choice(REQUESTS), chance)
        try:
            await sent(server, request)
            answered += 1
        except grpc.aio.AioRpcError as error:
            assert error.code() in EXPECTED, (request, error)
    assert answered > 100 and len(server.manager.runs()) > 5
