"""The file of keys: made once, private, whole or refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from control.auth.keys import KEY_LIFE_MS, Keys, engine_id, keys_folder
from control.auth.tokens import ACCESS_LIFE_MS
from tests.control.auth.conftest import NOW_MS
from trading.errors import OperationError, StorageError

DAY_MS = 86_400_000


def opened(folder: Path, now_ms: int = NOW_MS) -> Keys:
    """The keys in a folder."""
    return Keys.open(folder, now_ms, ACCESS_LIFE_MS)


def test_first_start_makes_keys_that_the_next_one_finds(tmp_path: Path) -> None:
    first = opened(tmp_path / "state" / "keys")
    second = opened(tmp_path / "state" / "keys", NOW_MS + DAY_MS)
    assert first.key_id == second.key_id
    assert opened(tmp_path / "elsewhere").key_id != first.key_id


def test_file_and_folder_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        opened(folder)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(each.name, each.stat().st_mode & 0o777) for each in folder.iterdir()] == [("keys.json", 0o600)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    opened(tmp_path / "keys")
    (tmp_path / "keys" / "keys.json").chmod(mode)
    with pytest.raises(OperationError, match=r"keys\.json is not trusted: others can read or change it"):
        opened(tmp_path / "keys")


def test_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "keys")
    (tmp_path / "keys" / "keys.json").rename(tmp_path / "moved.json")
    (tmp_path / "keys" / "keys.json").symlink_to(tmp_path / "moved.json")
    with pytest.raises(OperationError, match="cannot be read"):
        opened(tmp_path / "keys")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"current": {"private": "AA==", "made_ms": 1}}', '{"current": {"private": "é"}}'],
)
def test_damaged_file_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    opened(tmp_path / "keys")
    (tmp_path / "keys" / "keys.json").write_text(content)
    with pytest.raises(OperationError, match="is damaged: remove it"):
        opened(tmp_path / "keys")


def test_rotated_out_key_keeps_its_public_half_until_its_tokens_end(
    tmp_path: Path, random_bytes: Callable[[int], bytes]
) -> None:
    keys = opened(tmp_path / "keys")
    old_id, old_private = keys.key_id, json.loads((tmp_path / "keys" / "keys.json").read_text())["current"]
    keys.rotate(NOW_MS, ACCESS_LIFE_MS, random_bytes)
    stored = (tmp_path / "keys" / "keys.json").read_text()
    assert old_private["private"] not in stored
    for each in (keys, opened(tmp_path / "keys")):
        assert each.key_id != old_id
        assert each.public(old_id, NOW_MS + ACCESS_LIFE_MS - 1) is not None
        assert each.public(old_id, NOW_MS + ACCESS_LIFE_MS) is None
    keys.rotate(NOW_MS + ACCESS_LIFE_MS, ACCESS_LIFE_MS, random_bytes)
    assert len(json.loads((tmp_path / "keys" / "keys.json").read_text())["old"]) == 1


def test_key_of_ninety_days_is_replaced_at_the_next_start(tmp_path: Path) -> None:
    first = opened(tmp_path / "keys")
    assert opened(tmp_path / "keys", NOW_MS + KEY_LIFE_MS - 1).key_id == first.key_id
    later = opened(tmp_path / "keys", NOW_MS + KEY_LIFE_MS)
    assert later.key_id != first.key_id
    assert later.public(first.key_id, NOW_MS + KEY_LIFE_MS) is not None


def test_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationError, match="cannot be made private"):
        opened(tmp_path / "file" / "keys")


def test_engine_id_is_of_the_file_or_server_and_never_of_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert engine_id("sqlite:///a.db") == engine_id(f"sqlite:///{tmp_path}/./a.db")
    assert engine_id("sqlite:///a.db") != engine_id("sqlite:///b.db")
    server = "postgresql://anna:{}@host/name"
    assert engine_id(server.format("one")) == engine_id(server.format("two"))
    assert len(engine_id("sqlite:///a.db")) == 12
    with pytest.raises(StorageError):
        engine_id("nonsense")
    folder = keys_folder("sqlite:///a.db")
    assert folder == tmp_path / "state" / "autotrader" / engine_id("sqlite:///a.db")
    assert folder.parent.stat().st_mode & 0o777 == 0o700
