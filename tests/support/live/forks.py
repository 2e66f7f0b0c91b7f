"""`python -m tests.support.live.forks`: forks lives of engines from a process that has imported everything.

Each line of its input is a port of this machine at which somebody waits for one life; there the life is told
what it is to be (a LifeSpec), and then step by step what to do.
"""

import asyncio
import importlib
import os
import signal
import sys
import tempfile

import msgspec

from actors.exchange_client import make_client
from actors.persistence.store import Store
from tests.support.live.engine import LifeSpec, LiveEngine, flat, settled
from trading.signals import Side

SETTLE = "SETTLE"


async def live(port: int) -> None:
    """One life; it ends when nobody listens any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    spec = msgspec.json.decode(await reader.readline(), type=LifeSpec)
    engine = LiveEngine(spec)
    feed = asyncio.ensure_future(engine.script.follow_prices())
    while step := (await reader.readline()).decode().strip():
        try:
            told = await _step(engine, step)
        except Exception as error:
            told = repr(error)
        writer.write(msgspec.json.encode(told) + b"\n")
        await writer.drain()
    feed.cancel()


async def _live_and_end(port: int) -> None:
    """One life, then the process is gone: nothing that hangs in it is waited for."""
    try:
        await live(port)
    finally:
        os._exit(0)


async def _step(engine: LiveEngine, step: str) -> str:
    """Do one step and wait until all is quiet: SETTLE, or a side that the strategy says at a new candle."""
    if step == SETTLE:
        await engine.until(settled)
        return ""
    side = Side(step)
    known = await engine.until(lambda state: True)
    open_ms = await engine.script.close(side, known.open_time_ms)
    done = flat if side is Side.SELL else settled
    await engine.until(lambda state: state.voted_ms >= open_ms and done(state))
    return ""


async def _warm_up() -> None:
    """Import all that a life needs; what the actors import late is imported early here."""
    await make_client("binanceus", {}).close()
    with tempfile.TemporaryDirectory() as folder:
        Store.open(f"sqlite:///{folder}/warm.db", lambda: 0).close()
    importlib.import_module("actors.execution.gate")


def main() -> None:
    """Fork whatever is asked for, until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asyncio.run(_warm_up())
    for line in iter(sys.stdin.buffer.readline, b""):
        if os.fork() == 0:
            os.close(0)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(_live_and_end(int(line)))


if __name__ == "__main__":
    main()
