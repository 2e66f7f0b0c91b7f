"""The control plane from a shell, against an engine that `autotrader run` started."""

import asyncio
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from autotrader.v1 import session_pb2
from tests.support.engine import Commands, RunningEngine, environment, running_engine, until
from tui.client import connect
from tui.client.credentials import credential_path

pytestmark = pytest.mark.ray

PASSWORD = "correct horse battery staple"
READS = {
    "status": "status",
    "positions": "positions",
    "orders": "orders",
    "trades": "trades",
    "decisions": "decisions",
    "why BTC/USDT": "decision",
    "logs": "entries",
    "limits": "limits",
    "strategies": "strategies",
    "audit": "entries",
    "audit verify": "first_broken_id",
    "user list": "accounts",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
def autotrader(
    engine: RunningEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    monkeypatch.chdir(engine.folder)
    monkeypatch.setenv("COLUMNS", "80")
    return Commands(capsys)


@pytest.fixture
def traded(autotrader: Commands) -> Commands:
    """Commands on an engine that has closed a few trades."""
    until(lambda: int(status(autotrader)["trades"]) >= 3)
    return autotrader


def status(autotrader: Commands) -> Any:
    return autotrader.json("status")["status"]


@pytest.mark.parametrize(("line", "holds"), READS.items())
def test_read_answers_in_words_and_as_one_document(traded: Commands, line: str, holds: str) -> None:
    words = traded(*line.split())
    assert words.code == 0 and words.out and words.err == ""
    assert holds in traded.json(*line.split())


def test_status_tells_mode_money_and_limits_in_80_columns(traded: Commands) -> None:
    said = traded("status").out
    assert said.startswith("SIMULATED  paper money")
    for word in (
        "RUNNING",
        "equity",
        "today",
        "BTC/USDT",
        "ETH/USDT",
        "kill_switch_percent",
        "all 8 are well",
    ):
        assert word in said
    assert max(map(len, said.splitlines())) <= 80
    assert len(said.splitlines()) <= 24


def test_status_in_a_fresh_process_loads_nothing_heavy(engine: RunningEngine) -> None:
    probe = (
        "import sys; from cli.main import run; code = run(['status', '--json']);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=engine.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not {"ray", "polars", "sqlalchemy", "numpy", "textual", "ccxt"} & set(done.stderr.split())


def test_trades_are_filtered_by_symbol_result_and_time(traded: Commands) -> None:
    every = traded.json("trades", "--limit", "1000")["trades"]
    won = traded.json("trades", "--won", "--limit", "1000")["trades"]
    assert all(Decimal(each["realized_profit_quote"]) > 0 for each in won)
    one = every[-1]
    asked = ("trades", "--symbol", one["symbol"], "--from", one["exit_time"], "--limit", "1000")
    found = traded.json(*asked)["trades"]
    assert found[-1]["entry_order_id"] == one["entry_order_id"]
    assert {each["symbol"] for each in found} == {one["symbol"]}
    assert traded.json("trades", "--to", one["exit_time"])["trades"] == []


def test_list_over_several_pages_is_one_list_without_a_hole(
    traded: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    until_time = traded.json("decisions", "--limit", "1")["decisions"][0]["open_time"]
    asked = ("decisions", "--to", until_time, "--limit", "7")
    whole = traded.json(*asked)
    monkeypatch.setattr("cli.engine_command.MOST_ROWS", 2)
    assert traded.json(*asked)["decisions"] == whole["decisions"]
    assert len(whole["decisions"]) == 7 and whole["next_page_token"]
    assert "these are the newest 7; --limit 14 shows more" in traded(*asked).out


def test_why_of_an_approved_decision_shows_votes_order_and_fill(traded: Commands) -> None:
    filled = traded.json("orders", "--state", "filled", "--limit", "1000")["orders"]
    bought = next(each for each in filled if each["side"] == "SIDE_BUY")
    decisions = traded.json("decisions", "--approved", "--symbol", bought["symbol"], "--limit", "1000")
    opened = next(each["open_time"] for each in decisions["decisions"] if bought["id"] in each["explanation"])
    said = traded("why", bought["symbol"], opened).out
    assert f"order {bought['id']}: BUY" in said and "  filled " in said
    assert "technical (weight 1):" in said and "fee " in said


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("close XRP/USDT --yes", 2, "symbol: 'XRP/USDT' is not traded"),
        ("close BTC/USDT", 2, "--yes: is needed where nobody can be asked"),
        ("kill", 2, "--yes: is needed where nobody can be asked"),
        ("reset-kill --yes", 2, "Missing option '--reason'"),
        ("reset-kill --yes --reason x", 1, "the kill switch is not"),
        ("limits set max_open_positions", 2, "'max_open_positions' has no value"),
        ("limits set max_open_position 3", 2, "did you mean 'max_open_positions'?"),
        ("limits set max_open_positions many", 2, "changes[0].value: 'many' is not a number"),
        ("limits st", 2, "Did you mean 'set'?"),
        ("strategies weight cross -- -1", 2, "change.weight: "),
        ("strategies remove crss", 2, "did you mean 'cross'?"),
        ("strategies add cross sma_cross", 2, "name: "),
        ("strategies add quick sma_cross --set fast", 2, "--set: 'fast' is not PARAM=VALUE"),
        ("trades --won --lost", 2, "--lost: cannot stand beside --won"),
        ("trades --reason luck", 2, "--reason: 'luck' is not known"),
        ("trades --from yesterday", 2, "--from: 'yesterday' is not a date"),
        ("trades --symbol XRP/USDT", 2, "is not traded"),
        ("trades --limit 0", 2, "--limit"),
        ("orders --state done", 2, "--state: 'done' is not known"),
        ("decisions --symbol B\x1b[31m", 2, "U+001B"),
        ("why BTC/USDT 1999-01-01", 2, "open_time: there is no decision"),
        ("logs --level loud", 2, "--level: 'loud' is not known"),
        ("logs --follow --to 2021-01-01", 2, "--to: cannot stand beside --follow"),
        ("audit list --limit many", 2, "--limit"),
    ],
)
def test_refusal_is_one_sentence_with_its_code(
    autotrader: Commands, line: str, code: int, sentence: str
) -> None:
    said = autotrader(*line.split())
    assert (said.code, said.out) == (code, "")
    assert sentence in said.err and said.err.count("\n") == 1 and said.err[:-1].isprintable()


def test_pause_and_resume_change_the_state_and_land_in_the_audit_trail(autotrader: Commands) -> None:
    assert autotrader.json("pause")["result"]["message"].startswith("paused")
    assert status(autotrader)["state"] == "ENGINE_STATE_PAUSED"
    assert "resumed" in autotrader("resume").out
    assert status(autotrader)["state"] == "ENGINE_STATE_RUNNING"
    trail = autotrader.json("audit", "--account", "local", "--limit", "4")["entries"]
    assert {each["method"] for each in trail} == {"EngineService/Pause", "EngineService/Resume"}
    assert autotrader.json("audit", "verify")["first_broken_id"] == "0"


def test_close_all_sells_everything_and_close_of_nothing_is_refused(autotrader: Commands) -> None:
    assert autotrader("pause").code == 0
    assert autotrader("close-all", "--yes").code == 0
    until(lambda: not autotrader.json("positions")["positions"])
    said = autotrader("close", "BTC/USDT", "--yes")
    assert said.code == 1 and "BTC/USDT" in said.err
    assert "no position is open" in autotrader("positions").out
    assert autotrader("resume").code == 0


def limit(autotrader: Commands, name: str) -> Any:
    limits = autotrader.json("limits")["limits"]
    return next(each for each in limits if each["name"] == name)


def test_limits_are_changed_at_once_looser_ones_too(autotrader: Commands) -> None:
    said = autotrader("limits", "set", "max_open_positions", "7", "stop_loss_percent", "3")
    assert said.code == 0 and "position_size_percent" not in said.out
    assert limit(autotrader, "max_open_positions")["value"] == "7"
    assert limit(autotrader, "stop_loss_percent")["changed"] is True


def test_config_set_of_a_limit_is_in_force_in_the_engine_now(autotrader: Commands) -> None:
    said = autotrader("config", "set", "risk.stop_loss_percent", "4.5")
    assert said.out.startswith("risk.stop_loss_percent = 4.5, in force now")
    assert limit(autotrader, "stop_loss_percent")["value"] == "4.5"
    shown = autotrader.json("config", "show")["risk.stop_loss_percent"]
    assert shown == {"value": 4.5, "source": "run time"}
    assert autotrader.json("config", "set", "cross.weight", "1.5")["in_force"] == "now"
    assert strategy(autotrader, "cross")["weight"] == "1.5"


def test_config_set_of_what_cannot_change_now_says_next_start(autotrader: Commands) -> None:
    assert "from the next start on" in autotrader("config", "set", "cross.fast", "19").out
    assert strategy(autotrader, "cross")["params"]["fast"] == "20"
    assert autotrader("config", "reset", "cross.fast").code == 0


def test_config_set_for_another_database_leaves_the_engine_alone(
    autotrader: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = limit(autotrader, "take_profit_percent")["value"]
    monkeypatch.chdir(tmp_path)
    assert autotrader.json("config", "set", "risk.take_profit_percent", "44")["in_force"] == "next start"
    assert limit(autotrader, "take_profit_percent")["value"] == before == "0"


def strategy(autotrader: Commands, name: str) -> Any:
    listed = autotrader.json("strategies")["strategies"]
    return next((each for each in listed if each["name"] == name), None)


def test_strategy_is_disabled_reweighed_and_enabled(autotrader: Commands) -> None:
    assert autotrader("strategies", "disable", "cross").code == 0
    assert strategy(autotrader, "cross")["enabled"] is False
    assert "disabled" in autotrader("strategies").out
    assert autotrader.json("strategies", "weight", "cross", "2")["strategy"]["weight"] == "2"
    assert autotrader.json("strategies", "enable", "cross")["strategy"]["enabled"] is True


def test_strategy_is_added_votes_and_is_removed(autotrader: Commands) -> None:
    added = (
        "strategies",
        "add",
        "quick",
        "sma_cross",
        "--weight",
        "0.5",
        "--set",
        "fast=3",
        "--set",
        "slow=9",
    )
    assert autotrader.json(*added)["strategy"]["params"] == {"fast": "3", "slow": "9"}
    until(lambda: strategy(autotrader, "quick")["latest_votes"], 60)
    assert autotrader("strategies", "add", "quick", "technical").code == 2
    assert "removed" in autotrader("strategies", "remove", "quick").out
    assert strategy(autotrader, "quick") is None


def test_strategy_types_are_listed_beside_an_engine(autotrader: Commands) -> None:
    assert list(autotrader.json("strategies", "--types")) == ["types"]
    assert "sma_cross (" in autotrader("strategies", "--types").out


def test_account_signs_in_does_what_its_role_may_and_signs_out(
    autotrader: Commands, engine: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert autotrader("user", "add", "vera", "--role", "viewer").code == 0
    no_terminal = autotrader("status", "--user", "vera")
    assert no_terminal.code == 2 and "AUTOTRADER_PASSWORD" in no_terminal.err
    monkeypatch.setenv("AUTOTRADER_PASSWORD", PASSWORD)
    assert autotrader.json("status", "--user", "vera")["status"]["quote"] == "USDT"
    refused = autotrader("pause", "--user", "vera", "--target", engine.address)
    assert refused.code == 2 and "vera" in refused.err
    assert asyncio.run(sessions(engine.address)) == []
    monkeypatch.setenv("AUTOTRADER_PASSWORD", "not the password")
    assert autotrader("status", "--user", "vera").code == 2


def test_token_serves_in_place_of_the_credential_file(
    autotrader: Commands, engine: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = autotrader("token").out.strip()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    target = ("--target", engine.address)
    nobody = autotrader("status", *target)
    assert nobody.code == 2 and "not signed in" in nobody.err
    monkeypatch.setenv("AUTOTRADER_TOKEN", token)
    assert autotrader("status", *target).code == 0


async def sessions(address: str) -> list[str]:
    """Whose sessions live."""
    async with connect(address) as client:
        answer = await client.sessions.ListSessions(session_pb2.ListSessionsRequest())
        return [each.account for each in answer.sessions]


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("status --follow", b"USDT, today"),
        ("status --follow --json", b'{"status": {'),
        ("logs --follow --level info", b"engine: resumed"),
        ("logs --follow --json", b'"code": '),
    ],
)
def test_following_prints_lines_until_it_is_interrupted(
    autotrader: Commands, engine: RunningEngine, line: str, holds: bytes
) -> None:
    assert autotrader("resume").code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *line.split()],
        cwd=engine.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert any(holds in printed for printed in process.stdout)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")


def test_kill_sells_all_says_each_step_and_is_reset_with_a_reason(autotrader: Commands) -> None:
    said = autotrader("kill", "--yes", "--reason", "a [bold]test[/]")
    assert said.code == 0, said.out + said.err
    assert "thrown: the kill switch is thrown: a [bold]test[/]" in said.out
    assert "flat: verified, nothing is held" in said.out
    shown = autotrader("status").out
    assert "KILLED" in shown and "KILL SWITCH THROWN: a [bold]test[/]" in shown
    again = autotrader.json("kill", "--yes")
    assert again["flat"] is True and again["result"]["message"]
    assert "flat" not in autotrader.json("kill", "--yes", "--no-wait")
    assert autotrader("reset-kill", "--yes", "--reason", "all is well").code == 0
    assert status(autotrader)["killed"] == ""


# The last one of this file: it ends the engine.
def test_stop_waits_until_the_engine_is_gone(autotrader: Commands, engine: RunningEngine) -> None:
    assert autotrader.json("stop", "--yes")["gone"] is True
    assert engine.process.wait(30) == 0
    host, port = engine.address.split(":")
    assert not credential_path(host, int(port)).exists()
    said = autotrader("status", "--target", engine.address)
    assert said.code == 1 and said.err.startswith(f"error: no engine at {engine.address}")
