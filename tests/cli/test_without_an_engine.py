"""Commands for a running engine where none runs, and the question before danger."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import SECTIONS
from tests.support.engine import Commands, environment
from tui.client.credentials import credential_path

ARGUMENTS = {
    "why": ["BTC/USDT"],
    "close": ["BTC/USDT", "--yes"],
    "close-all": ["--yes"],
    "kill": ["--yes"],
    "reset-kill": ["--yes", "--reason", "x"],
    "stop": ["--yes"],
    "limits": ["set", "max_open_positions", "3"],
    "user": ["list"],
}
SILENT = "127.0.0.1:1"


@pytest.fixture
def autotrader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Commands(capsys)


@pytest.mark.parametrize("name", [name for name in SECTIONS["On a running engine"] if name != "console"])
def test_command_without_an_engine_fails_with_one_sentence(autotrader: Commands, name: str) -> None:
    said = autotrader(name, *ARGUMENTS.get(name, []), "--target", SILENT)
    assert said.code == (2 if name == "token" else 1)
    assert said.out == "" and said.err.startswith("error: no engine ") and said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--target", "nonsense", "target: 'nonsense' is not HOST:PORT"),
        ("--target", "127.0.0.1:0", "target: "),
        ("--config", "nothing.toml", "--config: nothing.toml does not exist"),
        ("--tls-ca", "nothing.pem", "nothing.pem"),
    ],
)
def test_wrong_option_is_named(autotrader: Commands, option: str, value: str, sentence: str) -> None:
    more = [] if option in ("--target", "--config") else ["--target", SILENT]
    said = autotrader("status", option, value, *more)
    assert said.code == 2 and sentence in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize("place", ["environment", ".env", "file", "run time"])
def test_target_is_the_listen_address_of_the_settings(
    autotrader: Commands, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.delenv("AUTOTRADER__CONTROL__LISTEN")
    if place == "environment":
        monkeypatch.setenv("AUTOTRADER__CONTROL__LISTEN", SILENT)
    elif place == ".env":
        Path(".env").write_text(f"AUTOTRADER__CONTROL__LISTEN={SILENT}\n")
    elif place == "file":
        Path("autotrader.toml").write_text(f'[control]\nlisten = "{SILENT}"\n')
    else:
        Path("autotrader.toml").write_text('[control]\nlisten = "127.0.0.1:2"\n')
        assert autotrader("config", "set", "control.listen", SILENT).code == 0
    said = autotrader("status")
    assert said.code == 1 and f"no engine at {SILENT}" in said.err


@pytest.mark.parametrize("text", ["listen = 3\n[control", "[control]\nlisten = 3\n", 'control = "x"\n'])
def test_settings_file_that_is_wrong_is_refused(
    autotrader: Commands, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("AUTOTRADER__CONTROL__LISTEN")
    Path("autotrader.toml").write_text(text)
    said = autotrader("status")
    assert said.code == 2 and "autotrader.toml" in said.err


def credential(port: int, process: int) -> None:
    path = credential_path("127.0.0.1", port)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(json.dumps({"secret": "s", "process": process}))
    path.chmod(0o600)


def test_engine_at_any_free_port_is_found_by_its_credential_file(autotrader: Commands) -> None:
    assert "no engine of yours runs" in autotrader("status").err
    credential(2, 2**30)
    assert "no engine of yours runs" in autotrader("status").err
    credential(1, os.getpid())
    assert f"no engine at {SILENT}" in autotrader("status").err
    credential(3, os.getpid())
    said = autotrader("status")
    assert said.code == 2 and "name one of 127.0.0.1:1, 127.0.0.1:3" in said.err


def test_strategies_with_a_credential_file_of_a_dead_engine_lists_what_is_configured(
    autotrader: Commands,
) -> None:
    credential(1, os.getpid())
    listed = autotrader.json("strategies")
    assert [each["name"] for each in listed["configured"]] == ["cross", "technical"] and listed["types"]


def test_config_set_with_a_credential_file_of_a_dead_engine_is_stored(autotrader: Commands) -> None:
    credential(1, os.getpid())
    assert autotrader.json("config", "set", "risk.stop_loss_percent", "3")["in_force"] == "next start"
    assert autotrader.json("config", "show")["risk.stop_loss_percent"]["value"] == 3


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [("yes\n", 2, "error: nothing was done: kill was not typed"), ("kill\n", 1, "error: no engine at")],
)
def test_kill_on_a_terminal_asks_for_the_word(tmp_path: Path, typed: str, code: int, sentence: str) -> None:
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "kill", "--target", SILENT],
        cwd=tmp_path,
        env=environment(),
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    os.close(inside)
    os.write(terminal, typed.encode())
    said = b""
    try:
        while part := os.read(terminal, 4096):
            said += part
    except OSError:  # Linux says so at the end of a terminal.
        pass
    finally:
        os.close(terminal)
    assert process.wait(20) == code
    assert "Type kill to do it: " in said.decode() and sentence in said.decode()
