"""The names under which an exchange knows our orders: derived, so that who starts again finds them.

`at`, eight hex digits of the engine, a dash, and twenty characters made from the order's id: 31 of the at
most 36 characters that exchanges take.
"""

import hashlib

PREFIX = "at"


def engine_id(account: str) -> str:
    """Eight hex digits that name an engine; `account` is what makes it that engine (its stored run)."""
    return hashlib.sha256(account.encode()).hexdigest()[:8]


def client_id(engine: str, order_id: str) -> str:
    """The client order id of an order of this engine."""
    return f"{PREFIX}{engine}-{hashlib.sha256(f'{engine} {order_id}'.encode()).hexdigest()[:20]}"


def is_ours(client: str, engine: str) -> bool:
    """Whether this engine gave this client order id."""
    return client.startswith(f"{PREFIX}{engine}-")


def is_foreign(client: str, engine: str) -> bool:
    """Whether another engine gave it."""
    name, dash, rest = client.removeprefix(PREFIX).partition("-")
    ours = client.startswith(PREFIX) and bool(dash) and len(name) == 8 and len(rest) == 20
    return ours and name != engine
