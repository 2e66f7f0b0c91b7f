"""Each key and dialog does what it says: the request that arrived is the proof."""

import grpc
import pytest
from textual.widgets import Input, Static

from autotrader.v1 import access_pb2, account_pb2, engine_pb2, risk_pb2, run_pb2, session_pb2, strategy_pb2
from tests.tui.driving import console, said, shown, table, until, write
from tests.tui.server import PASSWORD, SECRET, ControlServer
from tui.client import connect
from tui.dialogs.confirm import Confirmation, KillConfirmation
from tui.dialogs.detail import Detail
from tui.dialogs.form import Form
from tui.dialogs.sign_in import SignIn
from tui.widgets.banner import Banner
from tui.widgets.votes import VoteMatrix

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("key", ["enter", "y"])
async def test_kill_takes_two_keys_and_nothing_else(server: ControlServer, key: str) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("k")
        assert isinstance(app.screen, KillConfirmation)
        await pilot.press(key)
        await until(lambda: server.told.asked(engine_pb2.KillRequest))
        await until(lambda: app.facts.status and app.facts.status.killed)
        await until(lambda: "KILL SWITCH THROWN" in str(app.screen.query_one(Banner).content))


@pytest.mark.parametrize("key", ["escape", "n"])
async def test_kill_that_is_not_confirmed_sends_nothing(server: ControlServer, key: str) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("k", key, "p")
        await until(lambda: server.told.asked(engine_pb2.PauseRequest))
        assert not server.told.asked(engine_pb2.KillRequest)
        assert not isinstance(app.screen, KillConfirmation)


async def test_pause_key_pauses_and_then_resumes(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("p")
        await until(lambda: app.facts.paused)
        await until(lambda: "PAUSED" in shown(app, "#account"))
        await pilot.press("p")
        await until(lambda: server.told.asked(engine_pb2.ResumeRequest))
        await until(lambda: not app.facts.paused)
        assert len(server.told.asked(engine_pb2.PauseRequest)) == 1


async def test_close_position_wants_the_word(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("down", "x")
        assert isinstance(app.screen, Confirmation)
        await write(pilot, "clos")
        await pilot.press("enter")
        assert isinstance(app.screen, Confirmation)
        await pilot.press("e", "enter")
        await until(lambda: server.told.asked(engine_pb2.ClosePositionRequest))
        assert server.told.asked(engine_pb2.ClosePositionRequest)[0].symbol == "SOL/USDT"
        await until(lambda: table(app).row_count == 1)
        await until(lambda: said(app) == ["SOL/USDT is being closed"])


async def test_close_all_wants_the_word(server: ControlServer) -> None:
    async with console(server) as (_app, pilot):
        await pilot.press("X")
        await write(pilot, "close")
        await pilot.press("enter")
        await until(lambda: server.told.asked(engine_pb2.CloseAllRequest))


async def test_reset_signed_in_locally_sends_the_local_secret_without_asking(server: ControlServer) -> None:
    server.told.status.killed = "drawdown"
    async with console(server) as (_app, pilot):
        await pilot.press("R")
        await write(pilot, "looked at it")
        await pilot.press("tab")
        await write(pilot, "reset")
        await pilot.press("enter")
        await until(lambda: server.told.asked(engine_pb2.ResetKillSwitchRequest))
    request = server.told.asked(engine_pb2.ResetKillSwitchRequest)[0]
    assert request.reason == "looked at it"
    assert request.reauthentication.local_secret == SECRET


async def test_reset_signed_in_by_password_asks_for_it_again(server: ControlServer) -> None:
    server.told.status.killed = "drawdown"
    async with console(server) as (app, pilot):
        await app.client.sign_in("ada", PASSWORD)
        await pilot.press("R")
        hidden = app.screen.query_one("#password", Input)
        assert hidden.password
        await write(pilot, "why")
        await pilot.press("tab")
        await write(pilot, PASSWORD)
        await pilot.press("tab")
        await write(pilot, "reset")
        await pilot.press("enter")
        await until(lambda: server.told.asked(engine_pb2.ResetKillSwitchRequest))
    assert server.told.asked(engine_pb2.ResetKillSwitchRequest)[0].reauthentication.password == PASSWORD


async def test_refused_command_shows_its_sentence_without_markup(server: ControlServer) -> None:
    server.told.refusals["Pause"] = (
        grpc.StatusCode.FAILED_PRECONDITION,
        "FAILED",
        "not now: [bold]\x1b[31m",
        "",
    )
    async with console(server) as (app, pilot):
        await pilot.press("p")
        await until(lambda: said(app) == ["not now: [bold]\\x1b[31m"])


async def test_viewer_can_give_no_command(server: ControlServer) -> None:
    server.told.role = access_pb2.ROLE_VIEWER
    async with console(server) as (app, pilot):
        await pilot.press("k", "p", "X", "x")
        assert app.screen is app.screen_stack[0]
        await pilot.press("6", "space")
        await pilot.press("0")
        await until(lambda: app.screen.query_one("#detail").border_title == "Accounts are for admins")
    assert not [
        name
        for name, _ in server.told.requests
        if name in ("Kill", "Pause", "UpdateStrategy", "ListAccounts")
    ]


async def test_strategy_is_toggled_weighed_added_and_removed(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("6")
        await until(lambda: table(app).row_count == 5)
        await pilot.press("space")
        await until(lambda: server.told.asked(strategy_pb2.UpdateStrategyRequest))
        await until(lambda: "off" in str(table(app).get_row_at(0)[1]))
        await pilot.press("w")
        assert isinstance(app.screen, Form)
        await write(pilot, "2.5")
        await pilot.press("enter")
        await until(lambda: len(server.told.asked(strategy_pb2.UpdateStrategyRequest)) == 2)
        await pilot.press("a")
        await until(lambda: isinstance(app.screen, Form))
        app.screen.query_one("#name", Input).value = "mom"
        app.screen.query_one("#params", Input).value = "window=30"
        await pilot.press("ctrl+s")
        await until(lambda: server.told.asked(strategy_pb2.AddStrategyRequest))
        await until(lambda: table(app).row_count == 6)
        await pilot.press("d")
        await write(pilot, "remove")
        await pilot.press("enter")
        await until(lambda: server.told.asked(strategy_pb2.RemoveStrategyRequest))
    toggled, weighed = server.told.asked(strategy_pb2.UpdateStrategyRequest)
    assert (toggled.name, toggled.change.enabled, list(toggled.update_mask.paths)) == (
        "cross",
        False,
        ["enabled"],
    )
    assert (weighed.change.weight, list(weighed.update_mask.paths)) == ("2.5", ["weight"])
    added = server.told.asked(strategy_pb2.AddStrategyRequest)[0]
    assert (added.name, added.type, added.weight, dict(added.params)) == (
        "mom",
        "momentum",
        "1",
        {"window": "30"},
    )
    assert server.told.asked(strategy_pb2.RemoveStrategyRequest)[0].name == "cross"


async def test_tighter_limit_is_sent_at_once(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("7")
        await until(lambda: table(app).row_count == 9)
        await pilot.press("down", "enter")
        await write(pilot, "3")
        await pilot.press("enter")
        await until(lambda: server.told.asked(risk_pb2.UpdateLimitsRequest))
    request = server.told.asked(risk_pb2.UpdateLimitsRequest)[0]
    assert [(change.name, change.value) for change in request.changes] == [("stop_loss_percent", "3")]
    assert not request.HasField("reauthentication")


async def test_looser_limit_wants_the_word_and_the_proof(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("7")
        await until(lambda: table(app).row_count == 9)
        await pilot.press("enter")
        await write(pilot, "50")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, Confirmation))
        await write(pilot, "loosen")
        await pilot.press("enter")
        await until(lambda: len(server.told.asked(risk_pb2.UpdateLimitsRequest)) == 2)
        await until(lambda: str(table(app).get_row_at(0)[1]) == "50")
    first, second = server.told.asked(risk_pb2.UpdateLimitsRequest)
    assert second.reauthentication.local_secret == SECRET
    assert first.request_id != second.request_id


async def test_backtest_form_starts_a_run_that_appears_and_is_cancelled(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("8")
        await until(lambda: table(app).row_count == 3)
        await pilot.press("b")
        await until(lambda: isinstance(app.screen, Form))
        app.screen.query_one("#start", Input).value = "2024-01-01"
        app.screen.query_one("#settings", Input).value = "cross.fast=10"
        await pilot.press("ctrl+s")
        await until(lambda: server.told.asked(run_pb2.StartBacktestRequest))
        await until(lambda: table(app).row_count == 4)
        await pilot.press("c")
        await until(lambda: server.told.asked(run_pb2.CancelRunRequest))
        await until(lambda: "cancelled" in str(table(app).get_row_at(0)[0]))
    request = server.told.asked(run_pb2.StartBacktestRequest)[0]
    assert [(row.symbol, row.file) for row in request.data] == [("BTC/USDT", "btc.parquet")]
    assert request.range.start.seconds == 1_704_067_200
    assert not request.range.HasField("end")
    assert [(row.key, row.value) for row in request.settings] == [("cross.fast", "10")]


async def test_sweep_form_starts_a_sweep_and_a_bad_file_is_named(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("8", "s")
        await until(lambda: isinstance(app.screen, Form))
        app.screen.query_one("#data", Input).value = "BTC/USDT=nowhere.csv"
        app.screen.query_one("#settings", Input).value = "cross.fast=5:50:5"
        await pilot.press("ctrl+s")
        await until(lambda: said(app))
        assert "nowhere.csv" in said(app)[0]
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, Form))
        app.screen.query_one("#settings", Input).value = "cross.fast=5,10,20"
        app.screen.query_one("#trials", Input).value = "12"
        await pilot.press("ctrl+s")
        await until(lambda: server.told.asked(run_pb2.StartSweepRequest))
    request = server.told.asked(run_pb2.StartSweepRequest)[0]
    assert [(row.key, row.value) for row in request.settings] == [("cross.fast", "5,10,20")]
    assert (request.trials, request.method, request.objective) == (12, run_pb2.SWEEP_METHOD_GRID, "sharpe")


async def test_account_is_added_disabled_changed_and_removed(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await pilot.press("0")
        await until(lambda: table(app).row_count == 3)
        await pilot.press("a")
        app.screen.query_one("#name", Input).value = "linus"
        app.screen.query_one("#password", Input).value = "a long password"
        app.screen.query_one("#password-again", Input).value = "a long password"
        await pilot.press("ctrl+s")
        await until(lambda: table(app).row_count == 4)
        await pilot.press("space")
        await until(lambda: server.told.asked(account_pb2.UpdateAccountRequest))
        await pilot.press("c")
        await pilot.press("ctrl+s")
        await until(lambda: len(server.told.asked(account_pb2.UpdateAccountRequest)) == 2)
        await pilot.press("d")
        await write(pilot, "remove")
        await pilot.press("enter")
        await until(lambda: server.told.asked(account_pb2.DeleteAccountRequest))
    made = server.told.asked(account_pb2.CreateAccountRequest)[0]
    assert (made.name, made.role, made.password) == ("linus", access_pb2.ROLE_VIEWER, "a long password")
    disabled, role = server.told.asked(account_pb2.UpdateAccountRequest)
    assert role.reauthentication.local_secret == SECRET
    assert (disabled.name, disabled.change.disabled, list(disabled.update_mask.paths)) == (
        "ada",
        True,
        ["disabled"],
    )
    assert (role.change.role, list(role.update_mask.paths)) == (access_pb2.ROLE_ADMIN, ["role"])
    assert server.told.asked(account_pb2.DeleteAccountRequest)[0].name == "ada"


async def test_account_change_that_wants_a_proof_asks_for_the_own_password(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        await app.client.sign_in("ada", PASSWORD)
        await pilot.press("0")
        await until(lambda: table(app).row_count == 3)
        await pilot.press("w")
        app.screen.query_one("#password", Input).value = "a long password"
        app.screen.query_one("#password-again", Input).value = "a long password"
        await pilot.press("ctrl+s")
        await until(lambda: server.told.asked(account_pb2.UpdateAccountRequest))
        await until(lambda: isinstance(app.screen, Form) and not app.screen.query("#password-again"))
        assert app.screen.query_one("#password", Input).password
        await write(pilot, PASSWORD)
        await pilot.press("enter")
        await until(lambda: len(server.told.asked(account_pb2.UpdateAccountRequest)) == 2)
    first, second = server.told.asked(account_pb2.UpdateAccountRequest)
    assert second.reauthentication.password == PASSWORD
    assert (first.change, first.name) == (second.change, second.name)
    assert first.request_id != second.request_id


async def test_every_command_has_an_id_of_its_own(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        for _ in range(2):
            await pilot.press("p")
            await until(lambda: app.facts.paused)
            await pilot.press("p")
            await until(lambda: not app.facts.paused)
    ids = [request.request_id for _, request in server.told.requests if hasattr(request, "request_id")]
    assert len(ids) == len(set(ids)) == 4


async def test_why_of_a_vote_shows_votes_reasons_and_risk(server: ControlServer) -> None:
    async with console(server) as (app, pilot):
        app.screen.query_one(VoteMatrix).focus()
        await pilot.press("right", "right", "enter")
        await until(lambda: isinstance(app.screen, Detail))
        words = str(app.screen.query_one(Static).content)
    assert "max open positions; 2 positions are open, 2 are allowed" in words
    assert "breakout: no vote, late" in words
    assert "RSI 14 is" in words


async def test_palette_offers_every_screen_and_allowed_command(server: ControlServer) -> None:
    async with console(server) as (app, _pilot):
        titles = {command.title for command in app.get_system_commands(app.screen)}
    assert {
        "Show overview",
        "Show chart",
        "Show accounts",
        "Kill switch",
        "Pause",
        "Stop the engine",
    } <= titles
    assert not {"Resume", "Reset the kill switch"} & titles


async def test_console_without_credential_asks_for_name_and_password(
    server: ControlServer, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.app import ConsoleApp

    monkeypatch.setenv("XDG_STATE_HOME", f"{tmp_path}/none")
    app = ConsoleApp(connect(server.address))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: isinstance(app.screen, SignIn))
        await pilot.pause()
        await write(pilot, "ada")
        await pilot.press("enter")
        await write(pilot, "wrong")
        await pilot.press("enter")
        await until(lambda: "do not fit" in shown(app, ".hint"))
        await write(pilot, PASSWORD)
        await pilot.press("enter")
        await until(lambda: app.facts.status is not None)
        assert app.facts.caller.name == "ada"
    assert server.told.asked(session_pb2.SignOutRequest)
