"""`autotrader user` and `autotrader token` against a real server."""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

from autotrader.v1 import access_pb2
from cli import main
from control.auth.identity import Identity
from tests.control.auth.conftest import HOME, PASSWORD

Shell = Callable[..., Awaitable[int]]
OTHER = "another good password"


@pytest.fixture
def shell(target: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs a command line against the server; what stdin holds comes with it."""

    async def run(*arguments: str, stdin: str = "", at: str = target) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        return await asyncio.to_thread(main.run, [*arguments, "--target", at])

    return run


async def test_account_added_with_a_password_from_stdin_can_sign_in(
    shell: Shell, identity: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await shell("user", "add", "anna", "--role", "operator", stdin=f"{PASSWORD}\n") == 0
    assert capsys.readouterr().out == "account anna is made, with the role operator\n"
    signed_in = await identity.sign_in("anna", PASSWORD, "", HOME)
    assert signed_in.caller.role == access_pb2.ROLE_OPERATOR


@pytest.mark.parametrize(("second", "code"), [(PASSWORD, 0), (OTHER, 2)])
async def test_password_is_asked_for_twice_on_a_terminal_and_not_shown(
    target: str, identity: Identity, second: str, code: int
) -> None:
    arguments = ["user", "add", "anna", "--role", "viewer", "--target", target]
    ended, screen = await asyncio.to_thread(
        on_terminal, arguments, [(b"new password of anna: ", PASSWORD), (b"once more: ", second)]
    )
    assert ended == code
    assert PASSWORD not in screen
    assert [account.name for account in identity.accounts.all()] == ["anna"] * (code == 0)
    assert ("account anna is made" if code == 0 else "the two differ; nothing was changed") in screen


def on_terminal(arguments: list[str], answers: list[tuple[bytes, str]]) -> tuple[int, str]:
    """The exit code of a command on a terminal of its own, and all that it showed."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = b""
    for prompt, answer in answers:
        while not screen.endswith(prompt):
            screen += os.read(ours, 1)
        os.write(ours, f"{answer}\n".encode())
    while more := _read(ours):
        screen += more
    os.close(ours)
    return process.wait(), screen.decode()


def _read(terminal: int) -> bytes:
    """What is shown next; nothing when the program has ended."""
    try:
        return os.read(terminal, 1024)
    except OSError:
        return b""


async def test_accounts_are_listed_for_people_and_for_programs(
    shell: Shell, identity: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await shell("user", "list") == 0
    assert "there is no account yet" in capsys.readouterr().out
    await identity.accounts.create("anna", "viewer", PASSWORD)
    assert await shell("user", "list") == 0
    table = capsys.readouterr().out
    assert all(word in table for word in ("anna", "viewer", "never", "2023-11-14T22:13:20"))
    assert await shell("user", "list", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["accounts"] == [
        {"name": "anna", "role": "ROLE_VIEWER", "disabled": False, "created_at": "2023-11-14T22:13:20Z"}
    ]


async def test_role_password_and_state_are_changed_and_the_account_removed(
    shell: Shell, identity: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    await identity.accounts.create("anna", "viewer", PASSWORD)
    assert await shell("user", "role", "anna", "admin") == 0
    assert await shell("user", "password", "anna", stdin=f"{OTHER}\n") == 0
    capsys.readouterr()
    assert await shell("user", "disable", "anna", "--json") == 0
    assert json.loads(capsys.readouterr().out)["account"]["disabled"] is True
    account = identity.accounts.all()[0]
    assert (account.role, account.disabled) == ("admin", True)
    assert await shell("user", "enable", "anna") == 0
    await identity.sign_in("anna", OTHER, "", HOME)
    assert await shell("user", "remove", "anna") == 0
    assert identity.accounts.all() == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (["add", "Anna", "--role", "viewer"], PASSWORD, 2, "name: 'Anna' must be 1 to 64 lower-case letters"),
        (["add", "anna", "--role", "boss"], PASSWORD, 2, "--role: there is no role 'boss'"),
        (["add", "anna", "--role", "viewer"], "short", 2, "password: must have 12 to 1024 characters"),
        (["add", "anna", "--role", "viewer"], "", 2, "password: stdin holds none"),
        (["remove", "eve"], "", 2, "name: there is no account 'eve'"),
        (["role", "eve", "\x1b[2J"], "", 2, "ROLE: there is no role"),
    ],
)
async def test_bad_input_is_one_sentence(
    shell: Shell,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    stdin: str,
    code: int,
    sentence: str,
) -> None:
    assert await shell("user", *arguments, stdin=stdin) == code
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith(f"error: {sentence}")
    assert said.err[:-1].isprintable()


async def test_no_engine_is_told_with_the_address(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert await shell("user", "list", at="127.0.0.1:1") == 1
    assert "no engine at 127.0.0.1:1" in capsys.readouterr().err


async def test_command_as_another_user_ends_its_session(
    shell: Shell, identity: Identity, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await identity.accounts.create("root", "admin", PASSWORD)
    await identity.accounts.create("anna", "viewer", PASSWORD)
    assert await shell("user", "list", "--user", "root") == 2
    assert "put it into AUTOTRADER_PASSWORD" in capsys.readouterr().err
    monkeypatch.setenv("AUTOTRADER_PASSWORD", PASSWORD)
    assert await shell("user", "list", "--user", "root") == 0
    assert await shell("user", "list", "--user", "anna") == 2
    assert "needs the role admin" in capsys.readouterr().err
    owner = await identity.sign_in_locally("the-secret-of-the-credential-file", "127.0.0.1")
    assert identity.sessions(owner.caller) == []
    assert await shell("user", "remove", "root", "--user", "root") == 0


async def test_token_of_the_owner_and_of_an_account_are_accepted(
    shell: Shell, identity: Identity, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await shell("token") == 0
    said = capsys.readouterr()
    assert identity.caller_of(said.out.strip(), HOME).name == "local"
    assert said.err == "of local; it ends at 2023-11-14T22:28:20Z\n"
    await identity.accounts.create("anna", "viewer", PASSWORD)
    monkeypatch.setenv("AUTOTRADER_PASSWORD", PASSWORD)
    assert await shell("token", "--user", "anna", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert identity.caller_of(document["access_token"], HOME).name == "anna"
    assert (document["expires_at"], document["caller"]["role"]) == ("2023-11-14T22:28:20Z", "ROLE_VIEWER")


async def test_token_where_no_engine_of_ones_own_runs_says_what_to_do(
    shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/nonexistent")
    assert await shell("token") == 2
    assert "name an account with --user" in capsys.readouterr().err
