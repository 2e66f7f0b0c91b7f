"""The paper venue: the simulated exchange behind the port that a real one will use."""

import os
from collections.abc import Mapping, Sequence

from actors.ports import Health
from trading.rules import Rules
from trading.simulated_venue import Executions, Moment, Working, execute


class PaperVenue:
    """Fills orders on stored or simulated candles; it keeps nothing between calls."""

    async def execute(
        self,
        book: Sequence[Working],
        cash: int,
        moments: Mapping[str, Sequence[Moment]],
        rules: Rules,
    ) -> Executions:
        """What fills at one open time (rulebook 5, steps 1 and 2)."""
        return execute(book, cash, moments, rules)

    async def health(self) -> Health:
        """That it lives."""
        return Health("execution", os.getpid())
