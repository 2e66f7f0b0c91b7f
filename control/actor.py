"""The control actor: the control plane's server in a process of the engine's.

Whoever looks up an actor imports its module: what only the actor needs is imported inside it.
"""

import asyncio
import os
from typing import TYPE_CHECKING

from actors import refs
from actors.ports import Health
from control.spec import Addresses, ControlSpec

if TYPE_CHECKING:
    from control.server import ControlServer


class Control:
    """Starts the server when it is asked to, and again after it died; it holds nothing that is not stored."""

    def __init__(self, spec: ControlSpec) -> None:
        self._spec = spec
        self._server: ControlServer | None = None
        self._addresses: Addresses | None = None
        self._lock = asyncio.Lock()

    async def ensure_running(self) -> Addresses:
        """Start unless it runs. Raises AutotraderError, one sentence, when it cannot."""
        async with self._lock:
            if self._addresses is None:
                from control.server import ControlServer

                self._server = ControlServer(
                    self._spec,
                    refs.StoreRef(refs.PERSISTENCE),
                    refs.RiskRef(refs.RISK),
                    refs.SupervisorRef(refs.SUPERVISOR),
                )
                self._addresses = await self._server.start()
            return self._addresses

    async def health(self) -> Health:
        """That it lives."""
        return Health("control", os.getpid())

    async def stop(self) -> None:
        """End every call and stop listening."""
        async with self._lock:
            if self._server is not None and self._addresses is not None:
                await self._server.stop()
            self._server = self._addresses = None
