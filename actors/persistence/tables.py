"""Every table. The journal is the truth; what stands under "projections" can be rebuilt from it.

Money is Decimal in quote, a price Decimal in quote, an amount Decimal in base; times are UTC.
A row of a projection belongs to a run, and `sequence` names the journal entry that it comes from.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

from actors.persistence.columns import ExactDecimal, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, **{"nullable": False, **options})


def _time(name: str, **options: Any) -> Column[int]:
    return Column(name, UtcTime, **{"nullable": False, **options})


def _exact(name: str, **options: Any) -> Column[Any]:
    return Column(name, ExactDecimal, **{"nullable": False, **options})


def _whole(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, **{"nullable": False, **options})


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _of_run(name: str, *columns: Column[Any] | Index) -> Table:
    """A table whose key begins with its run."""
    run_id: Column[int] = Column("run_id", ForeignKey("runs.id"), primary_key=True)
    return Table(name, metadata, run_id, *columns, sqlite_with_rowid=False)


runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("mode"),
    _text("status"),
    _text("symbols"),
    _whole("timeframe_ms"),
    _text("quote"),
    Column("quote_decimals", Integer, nullable=False),
    _exact("initial_capital"),
    _whole("anchor_ms"),
    _whole("first_open_ms"),
    _text("rules"),
    _text("settings"),
    _text("source"),
    _flag("simulated"),
    _time("created_at"),
    _time("finished_at", nullable=True),
)
Index(
    "ix_runs_one_active",
    runs.c.status,
    unique=True,
    sqlite_where=runs.c.status == "active",
    postgresql_where=runs.c.status == "active",
)

writer = Table("writer", metadata, Column("id", Integer, primary_key=True), _whole("epoch"))

executor = Table(
    "executor",
    metadata,
    Column("id", Integer, primary_key=True),
    _whole("epoch"),
    _text("holder"),
    _time("taken_at"),
)

journal = _of_run(
    "journal",
    _whole("sequence", primary_key=True, autoincrement=False),
    _text("kind"),
    _whole("open_time_ms", nullable=True),
    _text("body"),
)

snapshots = _of_run(
    "snapshots",
    _whole("sequence", primary_key=True, autoincrement=False),
    _text("body"),
)

settings_changes = Table(
    "settings_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("key"),
    _text("value", nullable=True),
    _time("changed_at"),
    _text("by"),
)

system_log = Table(
    "system_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id")),
    _whole("sequence", nullable=True),
    _time("time"),
    _text("level"),
    _text("source"),
    _text("code"),
    _text("text"),
)

# Who may sign in, and who did what. They belong to no run, and no journal holds them.

accounts = Table(
    "accounts",
    metadata,
    _text("name", primary_key=True),
    _text("role"),
    _text("password_hash"),
    _flag("disabled"),
    _time("created_at"),
    _time("signed_in_at", nullable=True),
)

sessions = Table(
    "sessions",
    metadata,
    _text("id", primary_key=True),
    _text("account"),
    _text("refresh_hash"),
    _time("created_at"),
    _time("used_at"),
    _time("expires_at"),
    _time("ended_at", nullable=True),
    _text("client"),
    _text("address"),
)

audit = Table(
    "audit",
    metadata,
    _whole("id", primary_key=True, autoincrement=False),
    _time("time"),
    _text("account"),
    _text("role"),
    _text("address"),
    _text("method"),
    _text("request_id"),
    _text("result"),
    _text("detail"),
    _text("before", nullable=True),
    _text("after", nullable=True),
    Column("answer", LargeBinary),
    _text("fingerprint"),
    _text("hash"),
)
Index(None, audit.c.account, audit.c.request_id)

# Projections.

candles = _of_run(
    "candles",
    _text("symbol", primary_key=True),
    _time("open_time", primary_key=True),
    _exact("open"),
    _exact("high"),
    _exact("low"),
    _exact("close"),
    Column("volume", Float(53), nullable=False),
    _flag("filled"),
)

signals = _of_run(
    "signals",
    _time("open_time", primary_key=True),
    _text("symbol", primary_key=True),
    _text("strategy", primary_key=True),
    _text("side", nullable=True),
    _exact("confidence_percent", nullable=True),
    _text("reasons", nullable=True),
)

decisions = _of_run(
    "decisions",
    _time("open_time", primary_key=True),
    _text("symbol", primary_key=True),
    _text("side"),
    _text("why"),
    Column("score_percent", Float(53), nullable=False),
    _text("votes", nullable=True),
    _text("verdict", nullable=True),
    _text("refusal", nullable=True),
    _text("detail", nullable=True),
    _text("order_id", nullable=True),
)

orders = _of_run(
    "orders",
    _text("id", primary_key=True),
    _whole("sequence"),
    _text("symbol"),
    _text("side"),
    _text("kind"),
    _exact("amount"),
    _text("reason"),
    _text("state"),
    _time("decided_at"),
    _exact("sizing_price", nullable=True),
    _text("ended_why", nullable=True),
    _exact("trigger_price", nullable=True),
    _exact("limit_price", nullable=True),
    _exact("filled", nullable=True),
    _text("exchange_id", nullable=True),
    _text("cancelling", nullable=True),
)
Index(None, orders.c.run_id, orders.c.sequence)

fills = _of_run(
    "fills",
    _text("id", primary_key=True),
    _whole("sequence"),
    _text("order_id"),
    _text("symbol"),
    _text("side"),
    _exact("amount"),
    _exact("price"),
    _exact("notional"),
    _exact("fee"),
    _time("time"),
    _text("reason"),
    _exact("fee_base", nullable=True),
    _text("fee_currency", nullable=True),
    _exact("fee_paid", nullable=True),
)
Index(None, fills.c.run_id, fills.c.sequence)
Index(None, fills.c.order_id)

positions = _of_run(
    "positions",
    _text("symbol", primary_key=True),
    _exact("amount"),
    _exact("entry_price"),
    _exact("entry_notional"),
    _exact("entry_fee"),
    _time("entry_time"),
    _text("entry_order_id"),
    _exact("stop", nullable=True),
    _exact("target", nullable=True),
    _exact("highest_close"),
    _text("votes"),
    _exact("sold", nullable=True),
    _exact("sold_notional", nullable=True),
    _exact("exit_fee", nullable=True),
)

trades = _of_run(
    "trades",
    _text("entry_order_id", primary_key=True),
    _whole("sequence", primary_key=True, autoincrement=False),
    _text("symbol"),
    _exact("amount"),
    _time("entry_time"),
    _exact("entry_price"),
    _exact("entry_notional"),
    _exact("entry_fee"),
    _time("exit_time"),
    _exact("exit_price"),
    _exact("exit_notional"),
    _exact("exit_fee"),
    _text("exit_order_id"),
    _text("exit_reason"),
    _exact("realized_profit"),
    _text("votes"),
)
Index(None, trades.c.run_id, trades.c.sequence)

equity = _of_run(
    "equity",
    _time("open_time", primary_key=True),
    _exact("equity"),
    _exact("cash"),
    _flag("held"),
)

daily_stats = _of_run(
    "daily_stats",
    Column("day", Date, primary_key=True),
    Column("trades", Integer, nullable=False),
    Column("winners", Integer, nullable=False),
    Column("losers", Integer, nullable=False),
    _exact("result_quote"),
    _exact("base"),
    _exact("equity"),
    _exact("peak"),
    Column("max_drawdown_percent", Float(53), nullable=False),
    Column("sharpe", Float(53)),
    Column("returns", Integer, nullable=False),
    Column("returns_mean", Float(53), nullable=False),
    Column("returns_squares", Float(53), nullable=False),
)

risk_state = _of_run(
    "risk_state",
    _whole("sequence"),
    _exact("equity"),
    _exact("cash"),
    _exact("reference"),
    _exact("peak"),
    _exact("day_base"),
    _time("day_end"),
    _flag("day_blocked"),
    _flag("paused"),
    _text("killed"),
    _flag("verified_flat"),
)

PROJECTIONS = (
    candles,
    signals,
    decisions,
    orders,
    fills,
    positions,
    trades,
    equity,
    daily_stats,
    risk_state,
)
