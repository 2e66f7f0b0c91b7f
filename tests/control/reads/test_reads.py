"""Reads: four at once, sixteen waiting, no more; they cannot write; the database's failure is said."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from actors.persistence import tables
from actors.persistence.engine_url import NoDatabaseYet
from autotrader.v1 import portfolio_pb2
from control.faults import Fault
from control.reads import AT_ONCE, WAITING, Reads
from tests.control.reads.conftest import HELD, Client, Stored
from trading.errors import OperationError


async def test_reads_over_the_limit_are_refused_and_taken_again_later(reads: Reads) -> None:
    go, most, now = threading.Event(), 0, 0
    count = threading.Lock()

    def slow(_connection: Connection) -> int:
        nonlocal most, now
        with count:
            now += 1
            most = max(most, now)
        go.wait(30)
        with count:
            now -= 1
        return 1

    asked = [asyncio.create_task(reads.ask(slow)) for _ in range(AT_ONCE + WAITING)]
    while most < AT_ONCE:
        await asyncio.sleep(0.01)
    with pytest.raises(Fault, match="16 reads are waiting already"):
        await reads.ask(slow)
    asked[-1].cancel()
    await asyncio.wait({asked[-1]})
    asked.append(asyncio.create_task(reads.ask(slow)))
    go.set()
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert ended.count(1) == AT_ONCE + WAITING
    assert most == AT_ONCE
    assert await reads.ask(slow) == 1


async def test_a_read_cannot_write(reads: Reads) -> None:
    def write(connection: Connection) -> None:
        connection.execute(insert(tables.writer), [{"id": 7, "epoch": 7}])

    with pytest.raises((DBAPIError, OperationError), match=r"(?i)read-?only"):
        await reads.ask(write)


def test_reads_of_a_database_that_is_not_there_say_so(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseYet, match="there is no database"):
        Reads.open(f"sqlite:///{tmp_path / 'none.db'}", stored.run)


async def test_positions_are_what_memory_holds(client: Client) -> None:
    answer = await client.portfolio.ListPositions(portfolio_pb2.ListPositionsRequest())
    assert list(answer.positions) == [HELD]
