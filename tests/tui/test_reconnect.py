"""The engine goes away and comes back under an open console."""

from tests.tui.driving import console, shown, until
from tests.tui.server import ControlServer
from tui.facts import Facts
from tui.screens.view import View
from tui.widgets.account import AccountPanel
from tui.widgets.banner import Banner


async def test_console_says_that_the_engine_is_away_and_goes_on_when_it_is_back(
    server: ControlServer,
) -> None:
    async with console(server) as (app, _pilot):
        await server.stop()
        await until(lambda: "ENGINE away" in str(app.screen.query_one(Banner).content))
        await until(lambda: app.screen.has_class("-away"))
        await until(lambda: "AWAY" in shown(app, "#link"))
        await until(lambda: "was RUNNING" in shown(app, "#account"))
        server.told.status.equity_quote = "11111.11"
        server.told.changed()
        await server.start()
        await until(lambda: not app.facts.lost)
        await until(lambda: "11,111.11" in shown(app, "#account"))
        await until(lambda: not app.screen.has_class("-away"))
        await until(lambda: not app.screen.query_one(Banner).display)


async def test_command_to_an_engine_that_is_away_says_so(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await server.stop()
        await until(lambda: app.facts.lost)
        await pilot.press("k", "y")
        await until(lambda: [notice for notice in app._notifications if "no engine at" in notice.message])


async def test_skipped_events_make_the_console_read_anew(server: ControlServer) -> None:
    async with console(server) as (app, _pilot):
        reads = [name for name, _ in server.told.requests].count("GetEquityCurve")
        app.facts.changed |= {"equity", "limits"}
        app.facts_changed()
        await until(lambda: [name for name, _ in server.told.requests].count("GetEquityCurve") > reads)
        assert app.screen.query_one(AccountPanel).border_subtitle


async def test_many_events_are_drawn_at_most_five_times_a_second(server: ControlServer) -> None:
    async with console(server) as (app, _pilot):
        draws: list[frozenset[str]] = []
        view = app.screen
        assert isinstance(view, View)
        show = view.show

        def counting(facts: Facts, changed: frozenset[str]) -> None:
            draws.append(changed)
            show(facts, changed)

        view.show = counting  # type: ignore[method-assign]
        for number in range(200):
            server.told.status.equity_quote = f"{10_000 + number}.00"
            server.told.publish(status=server.told.status)
        await until(lambda: "10,199.00" in shown(app, "#account"))
        assert len(draws) <= 4
