"""`autotrader tls init`."""

import json
import tomllib
from pathlib import Path

import pytest

from cli.clock import now_ms
from cli.main import run
from control.listening import Tls
from control.tls.loading import load_tls


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_tls_init_prints_settings_that_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tls", "init", "--host", "nas.local"]) == 0
    said = capsys.readouterr().out
    assert "nas.local" in said
    section = tomllib.loads("\n".join(line for line in said.splitlines() if line.startswith("  ")))["control"]
    assert Path(section["tls_cert"]).parent == Path("tls").resolve()
    load_tls(Tls(section["tls_cert"], section["tls_key"]), now_ms())


def test_tls_init_as_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tls", "init", "here", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["server_key"] == "here/server.key"
    assert {"localhost", "127.0.0.1", "::1"} <= set(made["hosts"])


def test_tls_init_again_needs_force(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tls", "init"]) == 0
    before = Path("tls/ca.crt").read_bytes()
    capsys.readouterr()
    assert run(["tls", "init"]) == 2
    assert capsys.readouterr().err == (
        "error: tls/ca.crt is there already; name another folder, or --force makes new ones\n"
    )
    assert Path("tls/ca.crt").read_bytes() == before
    assert run(["tls", "init", "--force"]) == 0
    assert Path("tls/ca.crt").read_bytes() != before


def test_tls_init_for_a_wrong_host_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tls", "init", "--host", "https://nas"]) == 2
    assert capsys.readouterr().err == "error: --host: 'https://nas' is not a host name or an IP address\n"
    assert not Path("tls").exists()
