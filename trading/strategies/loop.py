"""The one event loop, in a thread of its own, on which strategies with `async def analyze` run."""

import asyncio
import threading
from collections.abc import Awaitable
from functools import cache
from typing import TypeVar

Result = TypeVar("Result")


def wait_for(awaitable: Awaitable[Result]) -> Result:
    """The result of an awaitable; blocks the calling thread, which may itself run another loop.

    All awaitables of a process run on the same loop, so that a strategy can keep a connection open.
    """
    return asyncio.run_coroutine_threadsafe(_guarded(awaitable), _loop()).result()


async def _guarded(awaitable: Awaitable[Result]) -> Result:
    try:
        return await awaitable
    except SystemExit as error:
        # It would end the loop for all other strategies.
        raise RuntimeError(f"the strategy called exit({error.code})") from error


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="strategies", daemon=True).start()
    return loop
