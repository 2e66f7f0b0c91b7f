"""The settings in force: those of the start, and what was changed since. A change is stored, and wins over
the file until it is reset."""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from actors.persistence import settings_changes
from control.store import ControlStore
from trading.setting_keys import find_path, put
from trading.settings import Settings, StrategySettings, parse_settings

STRATEGIES = "strategies"


class LiveSettings:
    """Settings that can change. `stored` are the keys that were changed at run time before this start.

    Who changes them holds `changing` from the first look at what is in force until the engine has the new
    values: two changes at once would undo one another.
    """

    def __init__(self, start: Settings, stored: frozenset[str], store: ControlStore) -> None:
        self.changing = asyncio.Lock()
        self._now = start
        self._changed = set(stored)
        self._store = store

    @classmethod
    def resumed(
        cls, start: Settings, at_start: Mapping[str, str], now: Mapping[str, str], store: ControlStore
    ) -> "LiveSettings":
        """The settings of the engine's start with what was changed since: the changes, as JSON by their keys,
        that were stored at the start, and those that are stored now."""
        settings = cls(start, frozenset(now), store)
        since = {key: text for key, text in now.items() if at_start.get(key) != text}
        for key in sorted(since, key=lambda key: key.count(".")):
            settings._now = settings.with_values({key: json.loads(since[key], parse_float=Decimal)})
        return settings

    @property
    def now(self) -> Settings:
        """What is in force."""
        return self._now

    @property
    def changed(self) -> frozenset[str]:
        """The keys changed at run time."""
        return frozenset(self._changed)

    def strategy(self, name: str) -> StrategySettings | None:
        """A strategy's settings."""
        return next((each for each in self._now.strategies if each.name == name), None)

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """The settings as they would be. Raises SettingsError, naming the key, when they may not be so."""
        tree = self._now.model_dump(exclude_none=True)
        tree[STRATEGIES] = list(tree[STRATEGIES])
        for key, value in values.items():
            put(tree, find_path(key, tree), value)
        return parse_settings(tree)

    async def store(self, values: Mapping[str, Any], by: str, now_ms: int) -> None:
        """Put values in force and store them; the caller has seen `with_values` accept them."""
        settings = self.with_values(values)
        texts = {key: json.dumps(value, default=_plain) for key, value in values.items()}
        await self._store.perform(store_changes, texts, by, now_ms)
        if STRATEGIES in values:
            self._changed -= {key for key in self._changed if _of_strategy(key)}
        self._now = settings
        self._changed |= set(values)


def store_changes(connection: Connection, texts: Mapping[str, str], by: str, now_ms: int) -> None:
    """Store changes of settings; a new list of strategies ends the changes of single ones, which it holds."""
    if STRATEGIES in texts:
        for key in settings_changes.settings_in_force(connection):
            if _of_strategy(key):
                settings_changes.reset_settings(connection, key, by, now_ms)
    for key, text in texts.items():
        settings_changes.set_setting(connection, key, text, by, now_ms)


def _of_strategy(key: str) -> bool:
    return key.partition(".")[0] not in Settings.model_fields


def _plain(value: Any) -> Any:
    """Settings have at most six decimals, which a float keeps."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)
