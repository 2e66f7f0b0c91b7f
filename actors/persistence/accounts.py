"""Accounts: who may sign in."""

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from actors.persistence import tables


class Account(Struct, frozen=True):
    """An account. `role` is viewer, operator or admin; times are UTC in ms."""

    name: str
    role: str
    password_hash: str
    disabled: bool
    created_ms: int
    signed_in_ms: int | None = None


def all_accounts(connection: Connection) -> list[Account]:
    """Every account, by name."""
    table = tables.accounts
    return [Account(*row) for row in connection.execute(select(table).order_by(table.c.name))]


def put_account(connection: Connection, account: Account) -> None:
    """Store an account as it is now."""
    table = tables.accounts
    values = {
        "role": account.role,
        "password_hash": account.password_hash,
        "disabled": account.disabled,
        "created_at": account.created_ms,
        "signed_in_at": account.signed_in_ms,
    }
    if connection.execute(update(table).where(table.c.name == account.name).values(values)).rowcount == 0:
        connection.execute(insert(table).values(name=account.name, **values))


def remove_account(connection: Connection, name: str) -> None:
    """Forget an account."""
    connection.execute(delete(tables.accounts).where(tables.accounts.c.name == name))
