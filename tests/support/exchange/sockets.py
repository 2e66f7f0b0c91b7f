"""The exchange's websocket door: streams of candles and best prices."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.exchange import answers
from tests.support.exchange.model import State
from tests.support.exchange.tape import Candle, Tape
from trading.timeframe import timeframe_ms, timeframe_name

BEAT_SECONDS = 0.5


class Line:
    """A connection: its streams, each with the open time of the last candle told, and what is to be sent."""

    def __init__(self, http: web.Request, state: State) -> None:
        self.http, self.state = http, state
        self.streams: dict[str, int] = {}
        self.waiting: asyncio.Queue[str] = asyncio.Queue()
        self.held: list[str] = []

    def send(self, message: str) -> None:
        """Send it soon, or do to it what the state says."""
        if self.state.sockets_silent:
            return
        self.held.append(message)
        if self.state.sockets_reorder and len(self.held) < 3:
            return
        for each in reversed(self.held):
            for _ in range(2 if self.state.sockets_duplicate else 1):
                self.waiting.put_nowait(each)
        self.held.clear()


class Sockets:
    """All connections; what moves is told at once, and told again at every beat."""

    def __init__(self, tapes: dict[str, Tape], state: State) -> None:
        self.tapes, self.state = tapes, state
        self.lines: set[Line] = set()
        self.opened = 0

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        if self.state.sockets_refused:
            return web.Response(status=503)
        door = web.WebSocketResponse()
        await door.prepare(http)
        line = Line(http, self.state)
        self.lines.add(line)
        self.opened += 1
        writer = asyncio.create_task(_write(line, door))
        try:
            async for message in door:
                if message.type is WSMsgType.TEXT:
                    self._command(line, json.loads(message.data))
        finally:
            self.lines.discard(line)
            writer.cancel()
        return door

    async def beat(self) -> None:
        """Tell again and again how things stand."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self.push()

    def push(self, symbol: str = "") -> None:
        """Tell every line how a symbol, or each one, stands."""
        for line in self.lines:
            for stream in line.streams:
                tape = self._tape(stream)
                if tape is not None and symbol in ("", tape.market.symbol):
                    self._tell(line, stream, tape)

    def tell_candle(self, tape: Tape, candle: Candle) -> None:
        """Tell one candle of the shortest timeframe to those who listen to it."""
        timeframe = timeframe_name(tape.candle_ms)
        event = answers.kline_event(tape, candle, timeframe, tape.candle_ms)
        self.say(f"{tape.market.id.lower()}@kline_{timeframe}", json.dumps(event))

    def say(self, stream: str, message: str) -> None:
        """Send any text to those who listen to a stream."""
        for line in self.lines:
            if stream in line.streams:
                line.send(message)

    def drop(self) -> None:
        """Cut every line."""
        for line in self.lines:
            if line.http.transport is not None:
                line.http.transport.abort()

    def _command(self, line: Line, command: dict[str, Any]) -> None:
        if command.get("method") == "SUBSCRIBE":
            for stream in command["params"]:
                line.streams.setdefault(stream, 0)
        elif command.get("method") == "UNSUBSCRIBE":
            for stream in command["params"]:
                line.streams.pop(stream, None)
        line.send(json.dumps({"result": None, "id": command.get("id")}))
        self.push()

    def _tape(self, stream: str) -> Tape | None:
        wanted = stream.partition("@")[0].upper()
        return next((each for each in self.tapes.values() if each.market.id == wanted), None)

    def _tell(self, line: Line, stream: str, tape: Tape) -> None:
        channel, _, timeframe = stream.partition("@")[2].partition("_")
        if channel == "bookTicker":
            line.send(json.dumps(answers.best_prices_event(tape)))
        if channel != "kline":
            return
        step_ms, told = timeframe_ms(timeframe), line.streams[stream]
        for candle in tape.rows(step_ms, told or None, None, 1000 if told else 1):
            line.send(json.dumps(answers.kline_event(tape, candle, timeframe, step_ms)))
            line.streams[stream] = candle.open_ms


async def _write(line: Line, door: web.WebSocketResponse) -> None:
    with suppress(ConnectionError):
        while True:
            await door.send_str(await line.waiting.get())
