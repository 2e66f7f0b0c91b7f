"""Tables: pages while one scrolls, filters asked of the engine, new rows at the top."""

from functools import partial

import pytest

from autotrader.v1 import decision_pb2, log_pb2, portfolio_pb2
from tests.tui import world
from tests.tui.driving import LARGE, SMALL, console, shown, table, until, write
from tests.tui.server import ControlServer
from tui.app import ConsoleApp
from tui.dialogs.detail import Detail
from tui.widgets.table import PagedTable
from tui.widgets.votes import VoteMatrix


def has_rows(app: ConsoleApp, rows: int) -> bool:
    """Whether so many rows were read."""
    return table(app).row_count == rows


async def test_thousand_trades_scroll_by_pages_and_draw_only_what_is_seen(
    server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: set[int] = set()
    render = PagedTable._render_line_in_row

    def counting(self: PagedTable, row_key: object, *rest: object, **named: object) -> object:
        drawn.add(hash(row_key))
        return render(self, row_key, *rest, **named)  # type: ignore[arg-type]

    async with console(server) as (app, pilot):
        await pilot.press("3")
        await until(lambda: table(app).row_count == 100)
        monkeypatch.setattr(PagedTable, "_render_line_in_row", counting)
        for rows in range(200, 1_300, 100):
            await pilot.press("end")
            await until(partial(has_rows, app, rows))
        await pilot.pause()
        drawn.clear()
        await pilot.press("pageup")
        await pilot.pause()
        assert 0 < len(drawn) <= 3 * SMALL[1]
        assert not table(app).more
    sizes = {request.page.size for request in server.told.asked(portfolio_pb2.ListTradesRequest)}
    tokens = [request.page.token for request in server.told.asked(portfolio_pb2.ListTradesRequest)]
    assert sizes == {100}
    assert [token for token in tokens if token] == [str(rows) for rows in range(100, 1_200, 100)]


async def test_trade_filters_are_asked_of_the_engine(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("3")
        await until(lambda: table(app).row_count)
        await pilot.press("f", "s")
        await until(
            lambda: "winners" in shown(app, "#filter-words") and "BTC/USDT" in shown(app, "#filter-words")
        )
        await until(
            lambda: list(server.told.asked(portfolio_pb2.ListTradesRequest)[-1].symbols) == ["BTC/USDT"]
        )
        await until(lambda: all("BTC" in str(table(app).get_row_at(row)[1]) for row in range(5)))
    assert server.told.asked(portfolio_pb2.ListTradesRequest)[-1].result == portfolio_pb2.TRADE_RESULT_WON


async def test_new_trade_at_the_top_is_shown_at_once_and_further_down_is_announced(
    server: ControlServer,
) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("3")
        await until(lambda: table(app).row_count == 100)
        server.told.publish(trade=world.trade(0))
        await until(lambda: len(server.told.asked(portfolio_pb2.ListTradesRequest)) == 2)
        await pilot.press("pagedown")
        await until(lambda: table(app).cursor_row > 5)
        place = table(app).cursor_row
        server.told.publish(trade=world.trade(0))
        await until(lambda: "newer rows" in shown(app, "#filter-words"))
        assert table(app).cursor_row == place
        assert len(server.told.asked(portfolio_pb2.ListTradesRequest)) == 2
        await pilot.press("r")
        await until(lambda: len(server.told.asked(portfolio_pb2.ListTradesRequest)) == 3)
        await until(lambda: table(app).cursor_row == 0)


async def test_enter_on_a_trade_shows_the_votes_that_opened_it(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("3")
        await until(lambda: table(app).row_count)
        await pilot.press("enter")
        assert isinstance(app.screen, Detail)
        assert "Votes that opened it" in str(app.screen.query_one("Static").render())
        await pilot.press("escape")
        assert not isinstance(app.screen, Detail)


async def test_why_of_an_order_asks_for_its_decision(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("4")
        await until(lambda: table(app).row_count)
        await pilot.press("w")
        await until(lambda: server.told.asked(decision_pb2.GetDecisionRequest))
    asked = server.told.asked(decision_pb2.GetDecisionRequest)[0]
    order, hour = world.order(0), 3_600
    assert (asked.symbol, asked.open_time.seconds) == (order.symbol, order.decided_at.seconds - hour)


async def test_enter_on_a_decision_shows_why(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("5")
        await until(lambda: table(app).row_count)
        await pilot.press("f", "f")
        await until(lambda: server.told.asked(decision_pb2.ListDecisionsRequest)[-1].kind == 2)
        await until(lambda: "refused" in str(table(app).get_row_at(0)[4]))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, Detail))


async def test_log_search_is_asked_of_the_engine_and_text_is_escaped(server: ControlServer) -> None:
    async with console(server, LARGE) as (app, pilot):
        await pilot.press("9")
        await until(lambda: table(app).row_count)
        await pilot.press("f", "f", "slash")
        await write(pilot, "sol")
        await pilot.press("enter")
        await until(lambda: server.told.asked(log_pb2.ListLogEntriesRequest)[-1].contains == "sol")
        await until(lambda: table(app).row_count == 100)
        asked = server.told.asked(log_pb2.ListLogEntriesRequest)[-1]
        assert asked.least_level == log_pb2.LOG_LEVEL_ALARM
        words = str(table(app).get_row_at(0)[4])
        assert "[bold]entries wait\\x1b[31m" in words
        assert app.focused is table(app)


async def test_narrow_table_keeps_the_columns_that_matter(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("3")
        await until(lambda: table(app).row_count)
        narrow = [str(column.label) for column in table(app).ordered_columns]
        await pilot.resize_terminal(*LARGE)
        await until(lambda: len(table(app).ordered_columns) > len(narrow))
        assert {"Exit (UTC)", "Symbol", "Profit", "Exit by"} <= set(narrow)
        assert table(app).virtual_size.width <= LARGE[0]


async def test_price_that_moves_changes_its_cells_and_leaves_the_cursor(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("down")
        server.told.positions[0].last_price_quote = "65432.10"
        server.told.status.symbols[1].votes[0].confidence_percent = "99"
        server.told.changed()
        await until(lambda: str(table(app).get_row_at(0)[2]) == "65,432.10")
        matrix = app.screen.query_one(VoteMatrix)
        await until(lambda: "99" in str(matrix.get_row_at(2)[2]))
        assert table(app).cursor_row == 1


async def test_position_that_opens_is_added_and_one_that_closes_is_gone(server: ControlServer) -> None:
    async with console(server) as (app, _pilot):
        closed = server.told.positions.pop(0)
        server.told.changed()
        await until(lambda: table(app).row_count == 1)
        server.told.positions.append(closed)
        server.told.changed()
        await until(lambda: table(app).row_count == 2)
        assert [str(table(app).get_row_at(row)[0]) for row in range(2)] == ["SOL/USDT", "BTC/USDT"]
