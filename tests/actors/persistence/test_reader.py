"""Reading: exact facts in order for the result files, and no way to write."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from actors.persistence import tables
from actors.persistence.reader import Reader
from actors.persistence.store import Store
from tests.actors.persistence.conftest import PAPER
from tests.support.runs import RandomRun, rules_of
from trading.decisions import EquityMarked, OutcomeDecided, TradeClosed


def test_reader_gives_every_decision_in_order_over_many_chunks(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=71)
    run = store.begin(PAPER, source.started)
    entries = source.entries(1200)
    store.append(run.id, entries)
    made = [decision for entry in entries for decision in entry.decisions]
    assert list(reader.decisions(run.id)) == made
    assert list(reader.equity_rows(run.id)) == [each for each in made if isinstance(each, EquityMarked)]
    assert list(reader.outcomes(run.id)) == [each for each in made if isinstance(each, OutcomeDecided)]
    assert list(reader.trades(run.id)) == [each.trade for each in made if isinstance(each, TradeClosed)]
    assert len(entries) > 2000


def test_reader_gives_the_newest_rows_first(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=72)
    run = store.begin(PAPER, source.started)
    store.append(run.id, source.entries(300))
    trades = list(reader.trades(run.id))
    rows = reader.newest(tables.trades, run.id, limit=3)
    assert sorted(row["entry_order_id"] for row in rows) == sorted(
        each.entry_order_id for each in trades[-3:]
    )
    assert len(reader.newest(tables.equity, run.id, limit=7)) == 7


def test_reader_sees_each_commit_at_once(store: Store, reader: Reader) -> None:
    source = RandomRun(rules_of(), seed=73)
    run = store.begin(PAPER, source.started)
    for count in range(1, 5):
        store.append(run.id, source.entries(1))
        assert len(list(reader.equity_rows(run.id))) == count


def test_reader_cannot_write(reader: Reader) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"), reader._engine.begin() as connection:
        connection.execute(insert(tables.writer), [{"id": 7, "epoch": 7}])
