"""Who may send orders to the exchange."""

import sqlalchemy as sa
from alembic import op

from actors.persistence.columns import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table of the executor's epoch."""
    op.create_table(
        "executor",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("taken_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_executor"),
    )
