"""The control actor: the control plane's server in a process of the engine's.

Whoever looks up an actor imports its module: what only the actor needs is imported inside it.
"""

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from actors import refs
from actors.ports import Health
from control.spec import Addresses, ControlSpec
from trading.errors import AutotraderError

if TYPE_CHECKING:
    from control.server import ControlServer

AGAIN_SECONDS = 5.0


class Control:
    """Starts the server when it is asked to, and again after it died; it holds nothing that is not stored."""

    def __init__(self, spec: ControlSpec) -> None:
        self._spec = spec
        self._server: ControlServer | None = None
        self._addresses: Addresses | None = None
        self._failure: AutotraderError | None = None
        self._again_at = 0.0
        self._lock = asyncio.Lock()

    async def ensure_running(self) -> Addresses:
        """Start unless it runs. Raises AutotraderError, one sentence, when it cannot."""
        async with self._lock:
            if self._addresses is None:
                self._addresses = await self._start()
            return self._addresses

    async def _start(self) -> Addresses:
        """Start; after a failure the next try comes 5 seconds later; who asks before hears of the last."""
        from control.server import ControlServer

        if self._failure is not None and time.monotonic() < self._again_at:
            raise self._failure
        store = refs.StoreRef(refs.PERSISTENCE)
        server = ControlServer(
            self._spec, store, refs.RiskRef(refs.RISK), refs.SupervisorRef(refs.SUPERVISOR)
        )
        try:
            addresses = await server.start()
        except AutotraderError as error:
            if str(error) != str(self._failure):
                with suppress(AutotraderError):
                    await store.log("alarm", "control", "not_started", str(error))
            self._failure, self._again_at = error, time.monotonic() + AGAIN_SECONDS
            raise
        self._server, self._failure = server, None
        return addresses

    async def health(self) -> Health:
        """That it lives."""
        return Health("control", os.getpid())

    async def stop(self) -> None:
        """End every call and stop listening."""
        async with self._lock:
            if self._server is not None and self._addresses is not None:
                await self._server.stop()
            self._server = self._addresses = None
