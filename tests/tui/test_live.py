"""Real money on a real exchange: nobody takes it for paper, and what protects it is seen."""

from autotrader.v1 import engine_pb2, portfolio_pb2
from tests.tui import world
from tests.tui.driving import console, said, shown, table, until
from tests.tui.server import ControlServer
from tests.tui.world import NOW, at
from tui.facts import Facts
from tui.rows import order_row, position_row, trade_row
from tui.screens.orders import STATES
from tui.why import order_text
from tui.widgets.account import figures_of
from tui.widgets.banner import announcement
from tui.widgets.health import HealthPanel
from tui.widgets.status_line import StatusLine
from tui.widgets.votes import refusal

STOP_ID = "1773489600-BTC-USDT-stop-3"


def live_status() -> engine_pb2.EngineStatus:
    """The engine of the small world, trading with money."""
    status = world.status()
    status.mode, status.exchange = engine_pb2.TRADING_MODE_LIVE, "binanceus"
    status.external.add(currency="BTC", amount="3.5")
    return status


def live_position(protection: portfolio_pb2.Protection.ValueType) -> portfolio_pb2.Position:
    """A position whose stop is watched like this."""
    position = world.positions()[0]
    position.protection, position.stop_order_id = protection, STOP_ID
    if protection == portfolio_pb2.PROTECTION_MISSING:
        position.unprotected_since.CopyFrom(at(NOW - 65))
    return position


def live_stop() -> portfolio_pb2.Order:
    """A stop that stands at the exchange and was filled in part."""
    stop = world.order(1)
    stop.id, stop.kind, stop.reason = STOP_ID, "stop", "stop"
    stop.state, stop.filled_base = portfolio_pb2.ORDER_STATE_PARTLY_FILLED, "0.003"
    stop.trigger_quote, stop.limit_quote, stop.exchange_order_id = "57000", "55290", "x-77"
    del stop.fills[:]
    return stop


def announced(status: engine_pb2.EngineStatus, *held: portfolio_pb2.Position) -> tuple[str, str]:
    """What the banner says."""
    facts = Facts(status=status, positions=list(held), lost="", lost_at=1.0)
    return announcement(facts, NOW)


async def test_live_is_red_and_names_the_exchange_and_real_money(server: ControlServer) -> None:
    server.told.status = live_status()
    async with console(server, (200, 60)) as (app, _):
        await until(lambda: shown(app, "#mode") == " LIVE binanceus REAL MONEY ")
        badge = app.screen.query_one("#mode")
        assert badge.has_class("mode-live")
        red, green, blue = badge.styles.background.rgb
        assert red > 200 > 2 * max(green, blue)
        assert app.screen.query_one(StatusLine).has_class("-live")
        assert "external 3.5 BTC" in shown(app, "#figures")


async def test_paper_on_live_prices_names_the_exchange_and_is_not_red(server: ControlServer) -> None:
    server.told.status.mode, server.told.status.exchange = engine_pb2.TRADING_MODE_PAPER, "binanceus"
    async with console(server) as (app, _):
        await until(lambda: shown(app, "#mode") == " PAPER binanceus ")
        assert not app.screen.query_one(StatusLine).has_class("-live")


def test_a_missing_stop_is_announced_above_all_but_a_halt() -> None:
    status = live_status()
    status.unreconciled = "the account is being compared"
    missing = live_position(portfolio_pb2.PROTECTION_MISSING)
    level, words = announced(status, missing)
    assert level == "error"
    assert "NO STOP AT THE EXCHANGE: BTC/USDT (STOP MISSING since 11:58:55)" in words
    missing.unprotected_since.CopyFrom(at(NOW - 1))
    assert "NO STOP" not in announced(status, missing)[1]
    missing.unprotected_since.CopyFrom(at(NOW + 3600))
    assert "NO STOP" in announced(status, missing)[1]


def test_books_and_blocked_symbols_say_why() -> None:
    status = live_status()
    status.symbols[1].blocked = "0.3 of what the engine held were sold by hand"
    assert announced(status) == (
        "warning",
        "▲ BLOCKED ETH/USDT: 0.3 of what the engine held were sold by hand",
    )
    assert "blocked" in refusal(status.symbols[1]).plain
    status.unreconciled = "another engine trades here"
    assert "NOT RECONCILED: another engine trades here" in announced(status)[1]


def test_the_kill_switch_shows_what_is_left() -> None:
    status = live_status()
    status.killed = "operator"
    status.kill_steps.append("BTC/USDT: 0.0125 is being sold")
    level, words = announced(status, live_position(portfolio_pb2.PROTECTION_MISSING))
    assert level == "error"
    assert words.endswith("Still to do: BTC/USDT: 0.0125 is being sold.")


def test_a_position_says_who_watches_its_stop() -> None:
    cells = position_row(live_position(portfolio_pb2.PROTECTION_EXCHANGE)).cells
    assert cells["state"].plain == "stop on the exchange"
    closing = live_position(portfolio_pb2.PROTECTION_ENGINE)
    closing.closing = True
    assert position_row(closing).cells["state"].plain == "closing, stop by the engine"
    missing = position_row(live_position(portfolio_pb2.PROTECTION_MISSING)).cells
    assert missing["state"].plain == "STOP MISSING since 11:58:55"
    assert missing["stop"].plain.startswith("✖ ")
    assert position_row(world.positions()[0]).cells["state"].plain == "open"


def test_a_partly_filled_stop_shows_its_trigger_and_how_much_is_done() -> None:
    cells = order_row(live_stop()).cells
    assert (cells["state"].plain, cells["kind"].plain) == ("◐ partly filled", "stop")
    assert (cells["amount"].plain, cells["price"].plain) == ("0.003 of 0.0078", "57,000.00")
    words = order_text(live_stop()).plain
    assert "active at 57,000.00, not under 55,290.00" in words
    assert "the exchange's id: x-77" in words


def test_an_order_that_is_being_cancelled_or_not_known_says_so() -> None:
    stop = live_stop()
    stop.cancelling = "an exit comes\x1b[31m"
    assert order_row(stop).cells["state"].plain == "◐ cancelling"
    assert "cancelled because: an exit comes\\x1b[31m" in order_text(stop).plain
    stop.cancelling, stop.state = "", portfolio_pb2.ORDER_STATE_UNKNOWN
    assert order_row(stop).cells["state"].plain == "? unknown"
    assert stop.state in STATES[1]


def test_a_fee_in_another_currency_is_shown_in_it() -> None:
    order = world.order(2)
    order.fills[0].fee_currency, order.fills[0].fee_paid = "BNB", "0.00083000"
    assert "fee 0.50 (0.00083 BNB)" in order_text(order).plain
    order.fills[0].fee_currency = "USDT"
    assert "(" not in order_text(order).plain.splitlines()[-1]


def test_trades_of_one_entry_are_two_rows() -> None:
    first, second = world.trade(1), world.trade(1)
    second.exit_order_id = "later"
    assert trade_row(first).key != trade_row(second).key


async def test_the_feed_says_how_old_its_prices_are(server: ControlServer) -> None:
    actor = server.told.status.actors[0]
    actor.facts.add(name="price_age_ms", value="320")
    async with console(server, (200, 60)) as (app, _):
        panel = app.screen.query_one(HealthPanel)
        await until(lambda: "market_data\n  price age ms 320" in str(panel.content))


async def test_no_vote_is_looked_for_behind_a_stop(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("4")
        await until(lambda: table(app).row_count == 100)
        table(app).show([order_row(live_stop())])
        await pilot.press("w")
        await until(lambda: said(app) == ["no vote is behind it: stop"])


def test_without_external_holdings_the_account_has_its_four_lines() -> None:
    assert len(figures_of(world.status()).plain.splitlines()) == 4
    assert figures_of(live_status()).plain.splitlines()[-1] == "external 3.5 BTC"
