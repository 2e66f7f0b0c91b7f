"""What execution needs of an account at an exchange; `ccxt_account.CcxtAccount` is one."""

from collections.abc import Sequence
from typing import Protocol

from trading.exchange_orders import Account, Answer, Execution, Filter, Placement, Unknown


class AccountPort(Protocol):
    """An account at an exchange. Each answer says what is certain afterwards, whatever went wrong."""

    async def send(self, placement: Placement) -> Answer:
        """Send an order, under its own client id."""
        ...

    async def ask(self, symbol: str, client_id: str) -> Answer:
        """How an order stands."""
        ...

    async def cancel(self, symbol: str, client_id: str, exchange_id: str) -> Answer:
        """Cancel an order, and how it stands then."""
        ...

    async def executions(self, symbol: str, exchange_id: str) -> tuple[Execution, ...] | Unknown:
        """All fills of an order."""
        ...

    async def account(self, symbols: Sequence[str]) -> Account | Unknown:
        """What is held, open and newly executed, now."""
        ...

    def filters(self) -> tuple[Filter, ...]:
        """The markets' rules as they are known."""
        ...

    async def refresh_filters(self) -> None:
        """Ask for the markets' rules anew."""
        ...

    async def close(self) -> None:
        """Let the connections go."""
        ...
