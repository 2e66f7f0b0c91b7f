"""The risk actor as a plain class: wherever its journal ends, it goes on to the same decisions."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from actors.execution.paper import PaperVenue
from actors.market_data.feed import FeedSpec, MarketData
from actors.persistence.actor import Persistence
from actors.persistence.reader import Reader
from actors.persistence.runs import Mode, RunSetup
from actors.persistence.store import Store
from actors.ports import Recovered
from actors.risk import Risk
from actors.strategy import Voter
from cli.run_plans import Planned
from tests.support.replays import plan, settings_with, simulated_file
from trading.events import CandlesClosed, RunStarted, SignalsCollected, VenueReported
from trading.journal import Entry, replay

CANDLES = 170


class LocalStore:
    """Persistence in this process, behind the port."""

    def __init__(self, url: str) -> None:
        self._actor = Persistence(url)

    async def recover(self) -> Recovered:
        return self._actor.recover()

    async def append(self, entries: Sequence[Entry], state: bytes) -> int:
        return self._actor.append(entries, state)

    async def save_snapshot(self, sequence: int, state: bytes) -> None:
        self._actor.save_snapshot(sequence, state)

    async def finish(self) -> None:
        self._actor.finish()

    async def log(self, level: str, source: str, code: str, text: str) -> None:
        self._actor.log(level, source, code, text)

    def close(self) -> None:
        self._actor.close()


async def run_to_end(planned: Planned, url: str) -> None:
    """The actors of a plan as plain objects in one process, on this database."""
    assert isinstance(planned.plan.feed, FeedSpec)
    store, market = LocalStore(url), MarketData(planned.plan.feed)
    rules, anchor_ms = planned.plan.rules, planned.plan.anchor_ms
    voters = {
        spec.name: Voter(spec, rules.markets, market, anchor_ms, rules.timeframe_ms)
        for spec in planned.plan.strategies
    }
    risk = Risk(store, market, PaperVenue(), voters.__getitem__, rules)
    await risk.ensure_running()
    try:
        async with asyncio.timeout(60):
            while not (progress := await risk.progress()).finished:
                assert not progress.failure, progress.failure
                await asyncio.sleep(0.01)
    finally:
        store.close()


def entries_of(url: str) -> list[Entry]:
    reader = Reader.open(url)
    try:
        return list(reader.entries(reader.runs()[-1].id))
    finally:
        reader.close()


def stored_up_to(url: str, entries: Sequence[Entry]) -> None:
    """A database whose journal ends with the last of these entries, as after a crash."""
    first = entries[0].event
    assert isinstance(first, RunStarted)
    store = Store.open(url, lambda: 0)
    run = store.begin(RunSetup(Mode.REPLAY), first)
    if len(entries) > 1:
        store.append(run.id, entries[1:], replay(None, entries).state)
    store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planned, list[Entry]]:
    """A plan, and the journal of its run without any crash."""
    folder = tmp_path_factory.mktemp("whole")
    planned = plan(settings_with(), {"BTC/USDT": simulated_file(folder, "BTC/USDT", CANDLES)}, folder / "out")
    asyncio.run(run_to_end(planned, planned.plan.database_url))
    return planned, entries_of(planned.plan.database_url)


def around_an_order(entries: Sequence[Entry]) -> list[int]:
    """Journal lengths that end after each kind of event around some orders, and at both ends."""
    reports = [at for at, entry in enumerate(entries) if isinstance(entry.event, VenueReported)]
    assert len(reports) > 3
    chosen = [at + step for at in reports[:: len(reports) // 3] for step in (-1, 0, 1, 2, 3)]
    return sorted({1, 2, 3, *chosen, len(entries) - 1})


async def test_journal_cut_anywhere_goes_on_to_the_same_decisions(
    whole: tuple[Planned, list[Entry]], tmp_path: Path
) -> None:
    planned, entries = whole
    cuts = around_an_order(entries)
    kinds = {type(entries[cut - 1].event) for cut in cuts}
    assert kinds >= {CandlesClosed, SignalsCollected, VenueReported}
    for cut in cuts:
        url = f"sqlite:///{tmp_path / f'{cut}.db'}"
        stored_up_to(url, entries[:cut])
        await run_to_end(planned, url)
        again = entries_of(url)
        assert msgspec.json.encode(again) == msgspec.json.encode(entries), f"cut after entry {cut - 1}"
