"""The first schema: runs, the journal, and the tables made from it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from actors.persistence.columns import ExactDecimal, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _create_runs()
    _create_operation_tables()
    _create_market_tables()
    _create_order_tables()
    _create_account_tables()


def _table(name: str, *columns: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint("id", name=f"pk_{name}"))


def _of_run(name: str, key: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        _column("run_id", sa.Integer),
        *columns,
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=f"fk_{name}_run_id"),
        sa.PrimaryKeyConstraint("run_id", *key, name=f"pk_{name}"),
        sqlite_with_rowid=False,
    )


def _column(name: str, kind: Any, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _create_runs() -> None:
    _table(
        "runs",
        _column("id", sa.Integer),
        _column("mode", sa.Text),
        _column("status", sa.Text),
        _column("symbols", sa.Text),
        _column("timeframe_ms", sa.BigInteger),
        _column("quote", sa.Text),
        _column("quote_decimals", sa.Integer),
        _column("initial_capital", ExactDecimal),
        _column("anchor_ms", sa.BigInteger),
        _column("first_open_ms", sa.BigInteger),
        _column("rules", sa.Text),
        _column("settings", sa.Text),
        _column("source", sa.Text),
        _column("simulated", sa.Boolean),
        _column("created_at", UtcTime),
        _column("finished_at", UtcTime, nullable=True),
    )
    active = sa.text("status = 'active'")
    op.create_index(
        "ix_runs_one_active", "runs", ["status"], unique=True, sqlite_where=active, postgresql_where=active
    )
    _of_run(
        "journal",
        ("sequence",),
        _column("sequence", sa.BigInteger),
        _column("kind", sa.Text),
        _column("open_time_ms", sa.BigInteger, nullable=True),
        _column("body", sa.Text),
    )
    _of_run(
        "snapshots",
        ("sequence",),
        _column("sequence", sa.BigInteger),
        _column("body", sa.Text),
    )


def _create_operation_tables() -> None:
    _table(
        "writer",
        _column("id", sa.Integer),
        _column("epoch", sa.BigInteger),
    )
    _table(
        "settings_changes",
        _column("id", sa.Integer),
        _column("key", sa.Text),
        _column("value", sa.Text, nullable=True),
        _column("changed_at", UtcTime),
        _column("by", sa.Text),
    )
    _table(
        "system_log",
        _column("id", sa.Integer),
        _column("run_id", sa.Integer, nullable=True),
        _column("sequence", sa.BigInteger, nullable=True),
        _column("time", UtcTime),
        _column("level", sa.Text),
        _column("source", sa.Text),
        _column("code", sa.Text),
        _column("text", sa.Text),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_system_log_run_id"),
    )


def _create_market_tables() -> None:
    _of_run(
        "candles",
        (
            "symbol",
            "open_time",
        ),
        _column("symbol", sa.Text),
        _column("open_time", UtcTime),
        _column("open", ExactDecimal),
        _column("high", ExactDecimal),
        _column("low", ExactDecimal),
        _column("close", ExactDecimal),
        _column("volume", sa.Float(53)),
        _column("filled", sa.Boolean),
    )
    _of_run(
        "signals",
        (
            "open_time",
            "symbol",
            "strategy",
        ),
        _column("open_time", UtcTime),
        _column("symbol", sa.Text),
        _column("strategy", sa.Text),
        _column("side", sa.Text, nullable=True),
        _column("confidence_percent", ExactDecimal, nullable=True),
        _column("reasons", sa.Text, nullable=True),
    )
    _of_run(
        "decisions",
        (
            "open_time",
            "symbol",
        ),
        _column("open_time", UtcTime),
        _column("symbol", sa.Text),
        _column("side", sa.Text),
        _column("why", sa.Text),
        _column("score_percent", sa.Float(53)),
        _column("votes", sa.Text, nullable=True),
        _column("verdict", sa.Text, nullable=True),
        _column("refusal", sa.Text, nullable=True),
        _column("detail", sa.Text, nullable=True),
        _column("order_id", sa.Text, nullable=True),
    )


def _create_order_tables() -> None:
    _of_run(
        "orders",
        ("id",),
        _column("id", sa.Text),
        _column("sequence", sa.BigInteger),
        _column("symbol", sa.Text),
        _column("side", sa.Text),
        _column("kind", sa.Text),
        _column("amount", ExactDecimal),
        _column("reason", sa.Text),
        _column("state", sa.Text),
        _column("decided_at", UtcTime),
        _column("sizing_price", ExactDecimal, nullable=True),
        _column("ended_why", sa.Text, nullable=True),
    )
    op.create_index("ix_orders_run_id_sequence", "orders", ["run_id", "sequence"])
    _of_run(
        "fills",
        ("id",),
        _column("id", sa.Text),
        _column("sequence", sa.BigInteger),
        _column("order_id", sa.Text),
        _column("symbol", sa.Text),
        _column("side", sa.Text),
        _column("amount", ExactDecimal),
        _column("price", ExactDecimal),
        _column("notional", ExactDecimal),
        _column("fee", ExactDecimal),
        _column("time", UtcTime),
        _column("reason", sa.Text),
    )
    op.create_index("ix_fills_run_id_sequence", "fills", ["run_id", "sequence"])


def _create_account_tables() -> None:
    _of_run(
        "positions",
        ("symbol",),
        _column("symbol", sa.Text),
        _column("amount", ExactDecimal),
        _column("entry_price", ExactDecimal),
        _column("entry_notional", ExactDecimal),
        _column("entry_fee", ExactDecimal),
        _column("entry_time", UtcTime),
        _column("entry_order_id", sa.Text),
        _column("stop", ExactDecimal, nullable=True),
        _column("target", ExactDecimal, nullable=True),
        _column("highest_close", ExactDecimal),
        _column("votes", sa.Text),
    )
    _of_run(
        "trades",
        ("entry_order_id",),
        _column("entry_order_id", sa.Text),
        _column("sequence", sa.BigInteger),
        _column("symbol", sa.Text),
        _column("amount", ExactDecimal),
        _column("entry_time", UtcTime),
        _column("entry_price", ExactDecimal),
        _column("entry_notional", ExactDecimal),
        _column("entry_fee", ExactDecimal),
        _column("exit_time", UtcTime),
        _column("exit_price", ExactDecimal),
        _column("exit_notional", ExactDecimal),
        _column("exit_fee", ExactDecimal),
        _column("exit_order_id", sa.Text),
        _column("exit_reason", sa.Text),
        _column("realized_profit", ExactDecimal),
        _column("votes", sa.Text),
    )
    op.create_index("ix_trades_run_id_sequence", "trades", ["run_id", "sequence"])
    _of_run(
        "equity",
        ("open_time",),
        _column("open_time", UtcTime),
        _column("equity", ExactDecimal),
        _column("cash", ExactDecimal),
        _column("held", sa.Boolean),
    )
    _of_run(
        "daily_stats",
        ("day",),
        _column("day", sa.Date),
        _column("trades", sa.Integer),
        _column("winners", sa.Integer),
        _column("losers", sa.Integer),
        _column("result_quote", ExactDecimal),
        _column("base", ExactDecimal),
        _column("equity", ExactDecimal),
        _column("peak", ExactDecimal),
        _column("max_drawdown_percent", sa.Float(53)),
        _column("sharpe", sa.Float(53), nullable=True),
        _column("returns", sa.Integer),
        _column("returns_mean", sa.Float(53)),
        _column("returns_squares", sa.Float(53)),
    )
    _of_run(
        "risk_state",
        (),
        _column("sequence", sa.BigInteger),
        _column("equity", ExactDecimal),
        _column("cash", ExactDecimal),
        _column("reference", ExactDecimal),
        _column("peak", ExactDecimal),
        _column("day_base", ExactDecimal),
        _column("day_end", UtcTime),
        _column("day_blocked", sa.Boolean),
        _column("paused", sa.Boolean),
        _column("killed", sa.Text),
        _column("verified_flat", sa.Boolean),
    )
