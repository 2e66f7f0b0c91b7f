"""Accounts, sessions and the audit trail of the control plane."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from actors.persistence.columns import UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of the control plane."""
    _table(
        "accounts",
        _column("name", sa.Text),
        _column("role", sa.Text),
        _column("password_hash", sa.Text),
        _column("disabled", sa.Boolean),
        _column("created_at", UtcTime),
        _column("signed_in_at", UtcTime, nullable=True),
    )
    _table(
        "sessions",
        _column("id", sa.Text),
        _column("account", sa.Text),
        _column("refresh_hash", sa.Text),
        _column("created_at", UtcTime),
        _column("used_at", UtcTime),
        _column("expires_at", UtcTime),
        _column("ended_at", UtcTime, nullable=True),
        _column("client", sa.Text),
        _column("address", sa.Text),
    )
    _table(
        "audit",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        _column("time", UtcTime),
        _column("account", sa.Text),
        _column("role", sa.Text),
        _column("address", sa.Text),
        _column("method", sa.Text),
        _column("request_id", sa.Text),
        _column("result", sa.Text),
        _column("detail", sa.Text),
        _column("before", sa.Text, nullable=True),
        _column("after", sa.Text, nullable=True),
        _column("answer", sa.LargeBinary, nullable=True),
        _column("fingerprint", sa.Text),
        _column("hash", sa.Text),
    )
    op.create_index("ix_audit_account_request_id", "audit", ["account", "request_id"])
    op.create_index("ix_fills_order_id", "fills", ["order_id"])


def _table(name: str, key: sa.Column[Any], *columns: sa.Column[Any]) -> None:
    op.create_table(name, key, *columns, sa.PrimaryKeyConstraint(key.name, name=f"pk_{name}"))


def _column(name: str, kind: Any, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)
