"""Runs: one account with its rules and its journal. A database has at most one active run."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, select, update

from actors.persistence import tables
from actors.persistence.units import Units
from trading.client_ids import engine_id
from trading.errors import StorageError
from trading.events import RunStarted
from trading.rules import Rules
from trading.timeframe import timeframe_name


class Mode(StrEnum):
    """Where a run's orders go, and its candles come from."""

    PAPER = "paper"
    REPLAY = "replay"
    LIVE = "live"


class Status(StrEnum):
    """Where a run stands; only the active one takes entries."""

    ACTIVE = "active"
    FINISHED = "finished"
    ARCHIVED = "archived"


class RunSetup(Struct, frozen=True):
    """What a run is called; its rules stand in its `RunStarted`.

    `settings` is JSON without secrets, `source` says where the candles come from, and `simulated`
    that no market made them.
    """

    mode: Mode
    settings: str = "{}"
    source: str = ""
    simulated: bool = False


class Run(Struct, frozen=True):
    """A stored run. Its rules stay as they were at its begin; later changes are in its journal."""

    id: int
    mode: Mode
    status: Status
    rules: Rules
    anchor_ms: int
    first_open_ms: int
    settings: str
    source: str
    simulated: bool
    created_ms: int
    finished_ms: int | None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, in the order of the settings."""
        return tuple(market.symbol for market in self.rules.markets)

    @property
    def engine_id(self) -> str:
        """What names this account's engine in the client ids of its orders at an exchange."""
        return engine_id(f"{self.source}, run {self.id} of {self.created_ms}")


def active_run(connection: Connection) -> Run | None:
    """The run that goes on in this database, if any."""
    active = tables.runs.c.status == Status.ACTIVE.value
    row = connection.execute(select(tables.runs).where(active)).mappings().first()
    return _run_of(row) if row else None


def all_runs(connection: Connection) -> list[Run]:
    """Every run, the oldest first."""
    rows = connection.execute(select(tables.runs).order_by(tables.runs.c.id)).mappings()
    return [_run_of(row) for row in rows]


def find_run(connection: Connection, run_id: int) -> Run:
    """A run by its id. Raises StorageError when there is none."""
    row = connection.execute(select(tables.runs).where(tables.runs.c.id == run_id)).mappings().first()
    if row is None:
        raise StorageError(f"run: {run_id} is not in this database")
    return _run_of(row)


def add_run(connection: Connection, setup: RunSetup, started: RunStarted, now_ms: int) -> Run:
    """Store a new active run."""
    rules = started.rules
    row = {
        "mode": setup.mode.value,
        "status": Status.ACTIVE.value,
        "symbols": " ".join(market.symbol for market in rules.markets),
        "timeframe_ms": rules.timeframe_ms,
        "quote": rules.quote,
        "quote_decimals": rules.quote_decimals,
        "initial_capital": _capital(rules),
        "anchor_ms": started.anchor_ms,
        "first_open_ms": started.first_open_ms,
        "rules": msgspec.json.encode(rules).decode(),
        "settings": setup.settings,
        "source": setup.source,
        "simulated": setup.simulated,
        "created_at": now_ms,
    }
    inserted = connection.execute(insert(tables.runs).values(row)).inserted_primary_key
    assert inserted is not None
    return find_run(connection, inserted[0])


def end_run(connection: Connection, run_id: int, status: Status, now_ms: int) -> None:
    """Mark a run as finished or archived; a run that was finished keeps its time."""
    run = find_run(connection, run_id)
    finished_ms = now_ms if run.finished_ms is None else run.finished_ms
    ended = update(tables.runs).where(tables.runs.c.id == run_id)
    connection.execute(ended.values(status=status.value, finished_at=finished_ms))


def require_same(run: Run, mode: Mode, rules: Rules) -> None:
    """Raise StorageError, naming what differs, unless the run is one of these settings."""
    stored, wanted = _identity(run.mode, run.rules), _identity(mode, rules)
    for name, value in stored.items():
        if value != wanted[name]:
            raise StorageError(
                f"{name}: the account in this database has {value}, the settings say {wanted[name]}; "
                + ways_out(run)
            )


def ways_out(run: Run) -> str:
    """The end of a sentence about settings that are not those of the stored account."""
    if run.mode is Mode.LIVE:
        return "it trades with money: set it back, or name another database in database.url"
    return "set it back, or archive the account with `autotrader paper reset`"


def _identity(mode: Mode, rules: Rules) -> dict[str, str]:
    """What makes an account what it is, in the words of the settings."""
    return {
        "engine.mode": mode.value,
        "engine.symbols": ", ".join(market.symbol for market in rules.markets),
        "engine.timeframe": timeframe_name(rules.timeframe_ms),
        "quote currency": rules.quote,
        "engine.initial_capital_quote": _plain(_capital(rules)),
    }


def _capital(rules: Rules) -> Decimal:
    return Units(rules).quote(rules.initial_capital)


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _run_of(row: Mapping[Any, Any]) -> Run:
    return Run(
        id=row["id"],
        mode=Mode(row["mode"]),
        status=Status(row["status"]),
        rules=msgspec.json.decode(row["rules"], type=Rules),
        anchor_ms=row["anchor_ms"],
        first_open_ms=row["first_open_ms"],
        settings=row["settings"],
        source=row["source"],
        simulated=row["simulated"],
        created_ms=row["created_at"],
        finished_ms=row["finished_at"],
    )
