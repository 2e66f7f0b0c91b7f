"""Settings changed while running: stored, in force, and read again at the next start."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest
from sqlalchemy import Connection, Engine

from actors.persistence import schema
from actors.persistence.engine_url import open_engine
from actors.persistence.settings_changes import settings_in_force
from cli.config import load_settings
from control.live_settings import LiveSettings
from trading.errors import SettingsError
from trading.settings import Settings

Given = TypeVarTuple("Given")
Got = TypeVar("Got")


class Writer:
    """Writes into a real database, without an engine around it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def perform(self, act: Callable[[Connection, *Given], Got], *args: *Given) -> Got:
        """One transaction."""
        with self._engine.begin() as connection:
            return act(connection, *args)

    def stored(self) -> dict[str, str]:
        """What is in force."""
        with self._engine.begin() as connection:
            return settings_in_force(connection)


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    engine = open_engine(f"sqlite:///{tmp_path / 'settings.db'}")
    schema.prepare(engine)
    return Writer(engine)


def next_start(writer: Writer) -> Settings:
    """The settings with which the next start would go on."""
    return load_settings(None, (), writer.stored(), {}).settings


async def test_change_is_in_force_now_and_at_the_next_start(writer: Writer) -> None:
    live = LiveSettings(Settings(), frozenset(), writer)
    await live.store({"risk.stop_loss_percent": 3, "cross.weight": 2}, "ann", 0)
    assert live.now.risk.stop_loss_percent == 3
    assert live.now == next_start(writer)
    assert live.changed == {"risk.stop_loss_percent", "cross.weight"}


async def test_new_list_of_strategies_holds_what_was_changed_before(writer: Writer) -> None:
    live = LiveSettings(Settings(), frozenset(), writer)
    await live.store({"cross.weight": 2}, "ann", 0)
    entries = [*live.now.model_dump(exclude_none=True)["strategies"]]
    added = {"name": "slow", "type": "sma_cross", "params": {"fast": 50, "slow": 100}}
    await live.store({"strategies": [*entries, added]}, "ann", 1)
    assert live.changed == {"strategies"}
    assert [f"{each.name} {each.weight}" for each in next_start(writer).strategies] == [
        "cross 2",
        "technical 1",
        "slow 1",
    ]
    await live.store({"slow.weight": 5, "cross.enabled": False}, "ann", 2)
    assert next_start(writer) == live.now
    assert [each.weight for each in live.now.strategies] == [2, 1, 5]


async def test_change_that_is_not_allowed_changes_nothing(writer: Writer) -> None:
    live = LiveSettings(Settings(), frozenset(), writer)
    with pytest.raises(SettingsError, match=r"risk\.stop_loss_percent"):
        await live.store({"cross.weight": 2, "risk.stop_loss_percent": -1}, "ann", 0)
    assert live.now == Settings() and not live.changed and not writer.stored()
