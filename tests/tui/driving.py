"""Drives the console against the test server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui import world
from tests.tui.server import ControlServer
from tui.app import ConsoleApp
from tui.client import connect
from tui.widgets.table import PagedTable

SMALL, LARGE = (80, 24), (200, 60)
PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def console(
    server: ControlServer, size: tuple[int, int] = SMALL
) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    """A console that has heard of the engine once."""
    app = ConsoleApp(connect(server.address), clock=lambda: world.NOW + 5)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: app.facts.status is not None and not app.facts.lost)
        await until(lambda: table(app).row_count == len(server.told.positions))
        await pilot.pause()
        yield app, pilot


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to become true."""
    end = monotonic() + PATIENCE_SECONDS
    while not condition():
        assert monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


async def write(pilot: Pilot[None], words: str) -> None:
    """Type a text."""
    await pilot.press(*("space" if letter == " " else letter for letter in words))


def shown(app: ConsoleApp, selector: str) -> str:
    """The text of a Static on the screen."""
    return str(app.screen.query_one(selector, Static).content)


def said(app: ConsoleApp) -> list[str]:
    """The notices that are shown."""
    return [notice.message for notice in app._notifications]


def table(app: ConsoleApp) -> PagedTable:
    """The first table of the screen."""
    return app.screen.query(PagedTable).first()
