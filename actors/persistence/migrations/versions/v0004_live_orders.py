"""What an exchange says of orders and fills; a trade is named by its entry and by when it closed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from actors.persistence.columns import ExactDecimal, UtcTime

revision = "0004"
down_revision = "0003"

_ADDED: dict[str, dict[str, Any]] = {
    "orders": {
        "trigger_price": ExactDecimal,
        "limit_price": ExactDecimal,
        "filled": ExactDecimal,
        "exchange_id": sa.Text,
        "cancelling": sa.Text,
    },
    "fills": {"fee_base": ExactDecimal, "fee_currency": sa.Text, "fee_paid": ExactDecimal},
    "positions": {"sold": ExactDecimal, "sold_notional": ExactDecimal, "exit_fee": ExactDecimal},
}
_KEY = ("run_id", "entry_order_id", "sequence")


def upgrade() -> None:
    """Add the columns; an entry that filled again after its position was sold is a trade of its own."""
    for table, columns in _ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    op.execute(
        "UPDATE orders SET filled = (SELECT fills.amount FROM fills"
        " WHERE fills.run_id = orders.run_id AND fills.order_id = orders.id)"
    )
    if op.get_bind().dialect.name == "sqlite":
        _copy_trades()
    else:
        op.drop_constraint("pk_trades", "trades")
        op.create_primary_key("pk_trades", "trades", list(_KEY))


def _copy_trades() -> None:
    """SQLite cannot change a key: the rows move to a table that has it."""
    op.rename_table("trades", "trades_before")
    op.drop_index("ix_trades_run_id_sequence", "trades_before")
    columns = _trades()
    op.create_table(
        "trades",
        *columns,
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_trades_run_id"),
        sa.PrimaryKeyConstraint(*_KEY, name="pk_trades"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trades_run_id_sequence", "trades", ["run_id", "sequence"])
    names = ", ".join(column.name for column in columns)
    op.execute(f"INSERT INTO trades ({names}) SELECT {names} FROM trades_before")
    op.drop_table("trades_before")


def _trades() -> list[sa.Column[Any]]:
    return [
        _column("run_id", sa.Integer),
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
    ]


def _column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
