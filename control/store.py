"""The one way in which the control plane writes to the database."""

from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

from sqlalchemy import Connection

Given = TypeVarTuple("Given")
Got = TypeVar("Got")


class ControlStore(Protocol):
    """The database's one writer, wherever it runs."""

    async def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        """Do a write (`act`, a function of a module) as one transaction, and return what it returns."""
        ...
