"""Reads: over gRPC beside a bare server that answers as much, and through the gRPC-web door."""

import http.client
from collections.abc import Callable
from functools import partial
from typing import Any

from google.protobuf.message import Message

from autotrader.v1 import engine_pb2, engine_pb2_grpc, portfolio_pb2, portfolio_pb2_grpc
from benchmarks.control.blocks import timed_in_turn
from benchmarks.control.companion import companion
from benchmarks.control.engine import CALL_SECONDS, Engine, Line, Metadata, channel_to, line_to
from benchmarks.control.figures import Row, Target, figures_of
from control.door.frames import HEADER_BYTES, TRAILERS, frame
from trading.errors import OperationError

PAGE = 50
OVER_BARE_MS = 1.0
STATUS_PATH = "/autotrader.v1.EngineService/GetStatus"
POSITIONS_PATH = "/autotrader.v1.PortfolioService/ListPositions"
TRADES_PATH = "/autotrader.v1.PortfolioService/ListTrades"
# What is answered from memory; a page of trades comes from the database.
FROM_THE_MODEL = (STATUS_PATH, POSITIONS_PATH)


async def read_rows(engine: Engine, calls: int) -> list[Row]:
    """GetStatus, ListPositions and a page of ListTrades, each beside a bare server."""
    async with line_to(engine) as line:
        await line.until(f"{PAGE} trades and a position", _is_full)
        ours = _reads(line)
        answers = {path: (await read()).SerializeToString() for path, read in ours.items()}
        with companion("benchmarks.control.bare") as server:
            target = server.ask({path: answer.hex() for path, answer in answers.items()})
            async with channel_to(target) as channel:
                theirs = _reads(Line(channel, line.token))
                kinds = {
                    (path, side): read
                    for path in ours
                    for side, read in (("ours", ours[path]), ("bare", theirs[path]))
                }
                taken = await timed_in_turn(kinds, calls)
    return [_row(path, len(answers[path]), taken[path, "ours"], taken[path, "bare"]) for path in ours]


def _is_full(status: engine_pb2.EngineStatus) -> bool:
    return status.trades >= PAGE and status.open_positions > 0


def _reads(line: Line) -> dict[str, Callable[[], Any]]:
    """The reads on a channel, by their paths."""
    engine = engine_pb2_grpc.EngineServiceStub(line.channel)
    portfolio = portfolio_pb2_grpc.PortfolioServiceStub(line.channel)
    page = portfolio_pb2.ListTradesRequest()
    page.page.size = PAGE
    requests: dict[str, tuple[Any, Message]] = {
        STATUS_PATH: (engine.GetStatus, engine_pb2.GetStatusRequest()),
        POSITIONS_PATH: (portfolio.ListPositions, portfolio_pb2.ListPositionsRequest()),
        TRADES_PATH: (portfolio.ListTrades, page),
    }
    return {
        path: partial(method, request, metadata=line.metadata, timeout=CALL_SECONDS)
        for path, (method, request) in requests.items()
    }


def _row(path: str, size: int, ours: list[float], bare: list[float]) -> Row:
    figures, beside = figures_of(ours), figures_of(bare)
    target = None
    if path in FROM_THE_MODEL:
        words = f"p50 at most {OVER_BARE_MS:g} ms over bare"
        target = Target(words, figures.p50 - beside.p50, OVER_BARE_MS)
    name = path.rpartition("/")[2] + (f", page of {PAGE}" if path == TRADES_PATH else "")
    return Row(f"read: {name}, {size:,} bytes", "ms", figures, "bare grpc.aio", beside, target)


async def web_rows(engine: Engine, calls: int) -> list[Row]:
    """GetStatus through the door, over HTTP/1.1 on one connection, beside gRPC."""
    async with line_to(engine) as line:
        door = _Door(engine.web, line.metadata)
        try:
            kinds = {"door": door.get_status, "native": line.status}
            taken = await timed_in_turn(kinds, calls)
        finally:
            door.close()
    return [
        Row("web: GetStatus, HTTP/1.1", "ms", figures_of(taken["door"]), "gRPC", figures_of(taken["native"]))
    ]


class _Door:
    """A gRPC-web client on one connection, which is kept while it is used."""

    def __init__(self, address: str, metadata: Metadata) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=CALL_SECONDS)
        self._headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", **dict(metadata)}
        self._request = frame(engine_pb2.GetStatusRequest().SerializeToString())

    async def get_status(self) -> engine_pb2.EngineStatus:
        """The status. Raises OperationError for an answer that is none."""
        self._connection.request("POST", STATUS_PATH, self._request, self._headers)
        response = self._connection.getresponse()
        return _status_in(response.status, response.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _status_in(http_status: int, body: bytes) -> engine_pb2.EngineStatus:
    """The status in an answer: one frame with the message, one with `grpc-status: 0`."""
    end = HEADER_BYTES + int.from_bytes(body[1:HEADER_BYTES], "big")
    good = (
        http_status == http.HTTPStatus.OK and body[:1] == b"\0" and body[end : end + 1] == bytes([TRAILERS])
    )
    if not good or b"grpc-status: 0" not in body[end:]:
        raise OperationError(f"the door answered {http_status}: {body[:200]!r}")
    return engine_pb2.GetStatusResponse.FromString(body[HEADER_BYTES:end]).status
