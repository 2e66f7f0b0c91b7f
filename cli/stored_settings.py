"""Settings changed at run time: kept in the database of the settings, in force until they are reset.

An engine that is running keeps what it started with; a change that is stored here is in force from its next
start. What can be changed while it runs goes through its control plane: cli/live_settings.py.
"""

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.clock import now_ms
from cli.config import LoadedSettings, load_settings
from trading.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Engine

SQLITE = "sqlite:///"


def load_with_changes(config: Path | None = None, overrides: Sequence[str] = ()) -> LoadedSettings:
    """The effective settings of this installation, those changed at run time included."""
    url = load_settings(config, overrides).settings.database.url
    return load_settings(config, overrides, stored_changes(url))


def stored_changes(url: str) -> dict[str, str]:
    """The changed settings as JSON texts by key; none where there is no database yet."""
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE)).expanduser().exists():
        return {}
    from actors.persistence.engine_url import NoDatabaseYet
    from actors.persistence.reader import Reader

    try:
        reader = Reader.open(url)
    except NoDatabaseYet:
        return {}
    try:
        return reader.settings()
    finally:
        reader.close()


@dataclass(frozen=True)
class Change:
    """A change that the settings may have: its key, the new value as JSON, and the database that keeps it."""

    key: str
    value: str
    database_url: str


def checked_change(config: Path | None, key: str, text: str) -> Change:
    """What a change would be. Raises SettingsError when the settings would not be valid with it."""
    from cli.output import to_json
    from trading.setting_keys import find_path, key_of, parse_text
    from trading.strategies.registry import made_strategies

    base = load_settings(config)
    url = base.settings.database.url
    before = stored_changes(url)
    tree = load_settings(config, (), before).settings.model_dump()
    path = find_path(key, tree)
    if path[0] == "database":
        raise SettingsError(
            f"{key}: changes are stored in this database; set it in the file or the environment"
        )
    if path == ("engine", "mode"):
        raise SettingsError(
            f"{key}: paper and live store changes in a database each; set it in the file or the environment"
        )
    known, value = key_of(path), to_json(parse_text(text, path), indent=" ")
    changed = load_settings(config, (), {**before, known: value})
    made_strategies(changed.settings)
    return Change(known, value, url)


def store_change(change: Change) -> None:
    """Store a change; it is in force from the next start on."""
    from actors.persistence import settings_changes

    with _database(change.database_url) as engine, engine.begin() as connection:
        settings_changes.set_setting(connection, change.key, change.value, _who(), now_ms())


def reset_changes(config: Path | None, key: str | None) -> list[str]:
    """End the change of one setting, or of all; returns the keys that were changed."""
    from actors.persistence import settings_changes

    url = load_settings(config).settings.database.url
    changed = stored_changes(url)
    if key is not None and key not in changed:
        raise SettingsError(f"{key}: is not changed at run time; changed are: {', '.join(changed) or 'none'}")
    if not changed:
        return []
    with _database(url) as engine, engine.begin() as connection:
        return settings_changes.reset_settings(connection, key, _who(), now_ms())


@contextmanager
def _database(url: str) -> "Iterator[Engine]":
    from actors.persistence import schema
    from actors.persistence.engine_url import open_engine, operation_errors

    engine = open_engine(url)
    try:
        schema.prepare(engine)
        with operation_errors():
            yield engine
    finally:
        engine.dispose()


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
