"""What stands between an intention and the exchange: whose turn it is, what was approved, what is allowed."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple

from actors.execution.approval import Approval, Approvals, difference, over_limit
from actors.execution.lease import take_lease
from actors.execution.reports import Halt
from actors.execution.spec import ExchangeSpec, OwnLimits
from trading.errors import OperationError
from trading.exchange_orders import Placement
from trading.signals import Side

if TYPE_CHECKING:
    from sqlalchemy import Connection

MINUTE_MS = 60_000
READ_AGAIN_SECONDS = 0.2

Given = TypeVarTuple("Given")
Got = TypeVar("Got")


class LeaseStore(Protocol):
    """The part of persistence that execution writes to."""

    async def perform(self, act: "Callable[[Connection, *Given], Got]", *args: *Given) -> Got:
        """Do a write in one transaction."""
        ...

    async def log(self, level: str, source: str, code: str, text: str) -> None:
        """Write to the system log."""
        ...


class Gate:
    """Lets out what was approved, as it was approved, while it is this process's turn."""

    def __init__(self, approvals: Approvals, epoch: int, engine_id: str, limits: OwnLimits) -> None:
        self._approvals = approvals
        self._epoch = epoch
        self._engine_id = engine_id
        self._limits = limits
        self._bought_ms: deque[int] = deque()

    @classmethod
    async def open(cls, spec: ExchangeSpec, store: LeaseStore, incarnation: str, now_ms: int) -> "Gate":
        """Become the process that sends. Raises what a database raises that cannot be opened."""
        holder = f"pid {os.getpid()}, host {socket.gethostname()}, {incarnation}"
        epoch = await store.perform(take_lease, holder, now_ms)
        approvals = await asyncio.to_thread(Approvals.open, spec.database_url, spec.run_id)
        return cls(approvals, epoch, spec.engine_id, spec.limits)

    async def refusal(self, order_id: str, placement: Placement, now_ms: int) -> str:
        """Why this order may not leave now; empty when it may. A database that fails is asked again.

        Raises Halt when it is another process's turn, or when this is not what was approved.
        """
        approval = await self._read(order_id)
        if approval.epoch != self._epoch:
            raise Halt(f"another process sends orders now ({approval.holder})")
        wrong = difference(order_id, placement, approval.order, self._engine_id)
        if wrong or approval.order is None:
            raise Halt(wrong)
        while self._bought_ms and self._bought_ms[0] <= now_ms - MINUTE_MS:
            self._bought_ms.popleft()
        broken = over_limit(self._limits, placement, approval.order, len(self._bought_ms))
        if not broken and placement.side is Side.BUY:
            self._bought_ms.append(now_ms)
        return broken

    def close(self) -> None:
        """Let the database go."""
        self._approvals.close()

    async def _read(self, order_id: str) -> Approval:
        while True:
            try:
                return await asyncio.to_thread(self._approvals.read, order_id)
            except OperationError:
                await asyncio.sleep(READ_AGAIN_SECONDS)
