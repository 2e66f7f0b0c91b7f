"""The credential file: private, whole, and only the engine that wrote it removes it."""

import json
import os
from pathlib import Path

import pytest

from control.auth.local import Credential, new_secret, remove_credential, write_credential
from tui.client.credentials import credential_path, read_credential

CREDENTIAL = Credential("127.0.0.1:50051", "/tmp/s", "s3cret", "http://127.0.0.1:8443", "", 4711)


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_file_is_where_the_client_looks_and_the_owners_alone() -> None:
    before = os.umask(0)
    try:
        path = write_credential("127.0.0.1", 50051, CREDENTIAL)
    finally:
        os.umask(before)
    assert path == credential_path("127.0.0.1", 50051)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(path.read_text()) == {
        "target": "127.0.0.1:50051",
        "socket": "/tmp/s",
        "secret": "s3cret",
        "web": "http://127.0.0.1:8443",
        "tls_ca": "",
        "process": 4711,
    }
    found = read_credential("127.0.0.1", 50051)
    assert found is not None
    assert found.secret == "s3cret"


def test_file_of_an_earlier_engine_is_replaced_whatever_its_mode() -> None:
    path = write_credential("127.0.0.1", 1, CREDENTIAL)
    path.chmod(0o644)
    write_credential("127.0.0.1", 1, Credential("127.0.0.1:1", "", "newer", "", "", 1))
    assert (path.stat().st_mode & 0o777, json.loads(path.read_text())["secret"]) == (0o600, "newer")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_removal_leaves_the_file_of_a_later_engine() -> None:
    path = write_credential("127.0.0.1", 1, CREDENTIAL)
    remove_credential(path, "another")
    assert path.exists()
    remove_credential(path, "s3cret")
    assert not path.exists()
    remove_credential(path, "s3cret")


def test_removal_of_what_is_no_credential_is_not_an_error() -> None:
    path = write_credential("127.0.0.1", 1, CREDENTIAL)
    path.write_text("[")
    remove_credential(path, "s3cret")
    assert path.exists()


def test_secrets_are_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {43}
