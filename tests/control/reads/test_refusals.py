"""Requests that cannot be done: the code, and the field with what is allowed; never an unexpected error."""

import base64
import random
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from autotrader.v1 import common_pb2, decision_pb2, log_pb2, market_pb2, portfolio_pb2
from control.contract import DESCRIPTORS
from control.faults import Fault
from control.reads import Reads
from control.rows import timestamp
from control.services.decisions import DecisionServicer
from control.services.logs import LogServicer
from control.services.market import MarketServicer
from control.services.portfolio import PortfolioServicer
from tests.control.reads.conftest import TOKEN, Client, Stored
from tests.support.runs import FIRST_OPEN_MS
from trading.errors import InputError

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
BACKWARDS = common_pb2.TimeRange(start=timestamp(2000), end=timestamp(2000))
BEFORE_1970 = common_pb2.TimeRange(end=Timestamp(seconds=-1))
Orders, Trades = portfolio_pb2.ListOrdersRequest, portfolio_pb2.ListTradesRequest
Decisions, Decision = decision_pb2.ListDecisionsRequest, decision_pb2.GetDecisionRequest
Days, Curve = portfolio_pb2.ListDailyStatisticsRequest, portfolio_pb2.GetEquityCurveRequest
Log, Candles = log_pb2.ListLogEntriesRequest, market_pb2.ListCandlesRequest

REFUSED = [
    (Orders(page=common_pb2.Page(size=1001)), INVALID, "page.size", "1001 is not within 1 to 1000"),
    (Days(page=common_pb2.Page(size=-1)), INVALID, "page.size", "-1 is not within 1 to 1000"),
    (Orders(page=common_pb2.Page(token="%%%")), INVALID, "page.token", "begin at the newest row"),
    (Orders(symbols=["BTC/USTD"]), MISSING, "symbols", "did you mean 'BTC/USDT'?"),
    (
        Orders(states=[portfolio_pb2.ORDER_STATE_UNSPECIFIED]),
        INVALID,
        "states",
        "0 is not a state of an order",
    ),
    (Orders(range=BACKWARDS), INVALID, "range.end", "is not after range.start"),
    (Trades(range=BEFORE_1970), INVALID, "range.end", "1970 to 9999"),
    (Trades(exit_reasons=["stopp"]), INVALID, "exit_reasons", "did you mean 'stop'?"),
    (Decisions(symbols=["' OR 1=1"]), MISSING, "symbols", "allowed: BTC/USDT, ETH/USDT"),
    (Decision(open_time=timestamp(FIRST_OPEN_MS)), MISSING, "symbol", "is not traded"),
    (Decision(symbol="BTC/USDT"), INVALID, "open_time", "is missing"),
    (
        Decision(symbol="BTC/USDT", open_time=timestamp(FIRST_OPEN_MS + 1)),
        MISSING,
        "open_time",
        "the one before is at 2020-01-01T00:00:00Z",
    ),
    (Curve(points=1), INVALID, "points", "1 is not within 2 to 5000"),
    (Curve(points=5001), INVALID, "points", "5001 is not within 2 to 5000"),
    (Candles(symbol="BTC/USDT", limit=-5), INVALID, "limit", "-5 is not within 1 to 5000"),
    (Candles(), MISSING, "symbol", "allowed: BTC/USDT, ETH/USDT"),
    (Log(contains="x" * 201), INVALID, "contains", "at most 200"),
]


def path_of(request: Message) -> str:
    """The method that takes this message."""
    return next(path for path, method in DESCRIPTORS.items() if method.input_type is request.DESCRIPTOR)


async def sent(client: Client, request: Message) -> Any:
    """The answer to a request."""
    path = path_of(request)
    answer = GetMessageClass(DESCRIPTORS[path].output_type)
    call = client.channel.unary_unary(
        path, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
    )
    return await call(request, metadata=TOKEN)


async def test_a_wrong_request_is_refused_by_its_field(client: Client) -> None:
    for request, code, field, words in REFUSED:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sent(client, request)
        assert refused.value.code() is code
        assert words in str(refused.value.details())
        assert _field_of(refused.value) == field


def _field_of(refused: Any) -> str:
    """The field that the details of an error name."""
    status = rpc_status.from_call(refused)
    violation = error_details_pb2.BadRequest()
    assert status is not None and status.details[1].Unpack(violation)
    return str(violation.field_violations[0].field)


async def test_a_token_is_refused_by_every_other_list_and_filter(client: Client) -> None:
    page = common_pb2.Page(size=3)
    token = (await sent(client, Orders(page=page))).next_page_token
    page.token = token
    assert await sent(client, Orders(page=page))
    for other in (
        Orders(page=page, symbols=["BTC/USDT"]),
        Orders(page=page, range=common_pb2.TimeRange(end=timestamp(FIRST_OPEN_MS * 2))),
        Trades(page=page),
        Decisions(page=page),
        Days(page=page),
        Log(page=page),
    ):
        with pytest.raises(grpc.aio.AioRpcError, match=r"page\.token: it is not of this list"):
            await sent(client, other)


async def test_a_token_changed_anywhere_is_refused(client: Client) -> None:
    token = (await sent(client, Orders(page=common_pb2.Page(size=3)))).next_page_token
    chance = random.Random(5)
    for _ in range(200):
        at = chance.randrange(len(token))
        changed = token[:at] + chance.choice("Aa0-_= ü%") + token[at + chance.randrange(2) :]
        if changed != token:
            with pytest.raises(grpc.aio.AioRpcError, match=r"page\.token: it is not of this list"):
                await sent(client, Orders(page=common_pb2.Page(size=3, token=changed)))


# Any request, by its descriptor.

TEXTS = (
    "",
    "BTC/USDT",
    "btc",
    "' OR 1=1 --",
    "%_\\",
    "\x00",
    "\x1b[31m",
    "ü" * 300,
    "signal",
    "engine",
    "\U0001f600\u202e",
)
NUMBERS = (0, 1, 2, 3, 4, 99, -1, -(2**31), 2**31 - 1, 50, 1000)
SECONDS = (0, 1, -1, 2**63 - 1, -(2**63), 253_402_300_799, 253_402_300_800, FIRST_OPEN_MS // 1000)
NANOS = (0, 0, 1, 999_999_999, 10**9, -1, 2**31 - 1)


def anything(request: Message, chance: random.Random, token: str) -> Message:
    """The message with some of its fields set to something, often something wrong."""
    if isinstance(request, Timestamp):
        request.seconds, request.nanos = chance.choice(SECONDS), chance.choice(NANOS)
        return request
    for field in request.DESCRIPTOR.fields:
        if chance.random() < 0.4:
            continue
        if field.message_type is not None:
            anything(getattr(request, field.name), chance, token)
            getattr(request, field.name).SetInParent()
        elif field.is_repeated:
            getattr(request, field.name).extend(
                _value(field, chance, token) for _ in range(chance.randrange(3))
            )
        else:
            setattr(request, field.name, _value(field, chance, token))
    return request


def _value(field: Any, chance: random.Random, token: str) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return chance.choice((*TEXTS, token, base64.urlsafe_b64encode(token.encode()).decode()))
    return chance.choice(NUMBERS)


def requests(seed: int, token: str) -> list[Message]:
    """Some hundred requests for the methods of these services."""
    chance = random.Random(seed)
    kinds = [Orders, Trades, Decisions, Decision, Days, Curve, Log, Candles]
    kinds.append(portfolio_pb2.ListPositionsRequest)
    return [anything(kind(), chance, token) for kind in kinds for _ in range(60)]


async def test_any_request_over_the_wire_is_answered_or_refused_by_a_field(client: Client) -> None:
    token = (await sent(client, Orders(page=common_pb2.Page(size=3)))).next_page_token
    codes = set()
    for request in requests(1, token):
        try:
            await sent(client, request)
            codes.add(grpc.StatusCode.OK)
        except grpc.aio.AioRpcError as refused:
            codes.add(refused.code())
    assert codes == {grpc.StatusCode.OK, INVALID, MISSING}


async def test_any_request_that_no_general_check_saw_is_answered_or_refused(
    stored: Stored, reads: Reads
) -> None:
    market: Any = MarketServicer
    servicers = (
        PortfolioServicer(reads, list),
        DecisionServicer(reads),
        market(reads),
        LogServicer(reads),
    )
    answered = 0
    for request in requests(2, "AAAA"):
        name = path_of(request).rpartition("/")[2]
        [method] = [getattr(each, name) for each in servicers if _serves(each, name)]
        try:
            await method(request, None)
            answered += 1
        except (Fault, InputError) as refused:
            assert str(refused).partition(": ")[0].replace(".", "").replace("_", "").isalpha()
    assert answered > 100


def _serves(servicer: object, name: str) -> bool:
    served: Callable[..., Any] | None = getattr(type(servicer), name, None)
    return served is not None
