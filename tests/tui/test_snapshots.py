"""Pictures of the main screens at two sizes, in light, and without colour.

Run with `--snapshot-update` to draw them anew, and look at them before they are committed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pytest_textual_snapshot import SVGImageExtension  # type: ignore[import-untyped]
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.driving import LARGE, SMALL, console, until
from tests.tui.server import ControlServer
from tui.app import ConsoleApp
from tui.client.target import Target
from tui.dialogs.detail import Detail
from tui.widgets.candle_chart import CandleChart
from tui.widgets.limits import LimitBars
from tui.widgets.table import PagedTable

pytestmark = pytest.mark.slow
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
# Key, and how many rows its table has at first.
TABLES = {
    "trades": ("3", 100),
    "strategies": ("6", 5),
    "risk": ("7", 9),
    "runs": ("8", 3),
    "logs": ("9", 100),
}


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Pictures are stored as SVG, one file each."""
    return snapshot.use_extension(SVGImageExtension)


@asynccontextmanager
async def drawn(
    server: ControlServer, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    """A console whose overview is complete, and which does not show its free port."""
    async with console(server, size) as (app, pilot):
        await until(lambda: "of 30" in str(app.screen.query_one(LimitBars).content))
        await until(lambda: len(app.facts.equity) == 400)
        tables = list(app.screen.query(PagedTable)) if size == LARGE else []
        await until(lambda: all(table.row_count for table in tables))
        monkeypatch.setattr(Target, "address", "127.0.0.1:50051")
        yield app, pilot


async def take(app: ConsoleApp, pilot: Pilot[None]) -> str:
    """The screen as it is when nothing moves any more."""
    app._tick()
    await pilot.pause()
    await pilot.wait_for_scheduled_animations()
    await pilot.pause(0.3)
    return app.export_screenshot()


@SIZES
async def test_overview_looks_as_before(
    server: ControlServer, size: tuple[int, int], picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with drawn(server, size, monkeypatch) as (app, pilot):
        assert await take(app, pilot) == picture


@SIZES
@pytest.mark.parametrize("name", TABLES)
async def test_table_looks_as_before(
    name: str,
    server: ControlServer,
    size: tuple[int, int],
    picture: SnapshotAssertion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, rows = TABLES[name]
    async with drawn(server, size, monkeypatch) as (app, pilot):
        await pilot.press(key)
        await until(lambda: app.screen.query(PagedTable).first().row_count == rows)
        await pilot.press("down")
        assert await take(app, pilot) == picture


@SIZES
async def test_chart_looks_as_before(
    server: ControlServer, size: tuple[int, int], picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with drawn(server, size, monkeypatch) as (app, pilot):
        await pilot.press("2")
        await until(lambda: "stop" in str(app.screen.query_one(CandleChart).content))
        assert await take(app, pilot) == picture


@SIZES
async def test_why_looks_as_before(
    server: ControlServer, size: tuple[int, int], picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with drawn(server, size, monkeypatch) as (app, pilot):
        await pilot.press("5")
        await until(lambda: app.screen.query(PagedTable).first().row_count == 100)
        await pilot.press("down", "down", "enter")
        await until(lambda: isinstance(app.screen, Detail))
        assert "max open positions" in str(app.screen.query_one(Static).content)
        assert await take(app, pilot) == picture


async def test_overview_in_light_looks_as_before(
    server: ControlServer, picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with drawn(server, SMALL, monkeypatch) as (app, pilot):
        await pilot.press("t")
        assert await take(app, pilot) == picture


async def test_overview_without_colour_looks_as_before(
    server: ControlServer, picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with drawn(server, SMALL, monkeypatch) as (app, pilot):
        assert await take(app, pilot) == picture


async def test_kill_dialog_looks_as_before(
    server: ControlServer, picture: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with drawn(server, SMALL, monkeypatch) as (app, pilot):
        await pilot.press("k")
        assert await take(app, pilot) == picture
