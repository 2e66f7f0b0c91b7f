"""Settings changed while running: stored, in force until reset, their history kept."""

import json

from sqlalchemy import Connection, insert, select

from actors.persistence import tables


def set_setting(connection: Connection, key: str, value_json: str, by: str, now_ms: int) -> None:
    """Put a setting in force. Raises ValueError when the value is not JSON."""
    json.loads(value_json)
    _change(connection, [key], value_json, by, now_ms)


def reset_settings(connection: Connection, key: str | None, by: str, now_ms: int) -> list[str]:
    """End the change of one setting, or of all; returns the keys that were in force."""
    ended = [each for each in settings_in_force(connection) if key in (None, each)]
    _change(connection, ended, None, by, now_ms)
    return ended


def settings_in_force(connection: Connection) -> dict[str, str]:
    """Every changed setting with its newest value, as JSON text."""
    table = tables.settings_changes
    newest: dict[str, str | None] = {}
    for key, value in connection.execute(select(table.c.key, table.c.value).order_by(table.c.id)):
        newest[key] = value
    return {key: value for key, value in newest.items() if value is not None}


def _change(connection: Connection, keys: list[str], value: str | None, by: str, now_ms: int) -> None:
    rows = [{"key": key, "value": value, "changed_at": now_ms, "by": by} for key in keys]
    if rows:
        connection.execute(insert(tables.settings_changes), rows)
