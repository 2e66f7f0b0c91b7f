"""How the closed trades went that each strategy voted for."""

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal

from actors.persistence.reader import Reader
from autotrader.v1 import strategy_pb2
from control.rows import decimal_text


@dataclass
class _Record:
    trades: int = 0
    winners: int = 0
    profit: Decimal = Decimal(0)


class StrategyRecords:
    """Counts each trade once, when somebody asks; a trade counts for whoever voted BUY with a confidence."""

    def __init__(self, reader: Reader, run_id: int) -> None:
        self._reader = reader
        self._run_id = run_id
        self._sequence = -1
        self._records: dict[str, _Record] = {}
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Count the trades that closed since."""
        async with self._lock:
            while rows := await asyncio.to_thread(self._reader.trades_after, self._run_id, self._sequence):
                for row in rows:
                    self._add(json.loads(row["votes"]), row["realized_profit"])
                self._sequence = rows[-1]["sequence"]

    def message(self, strategy: str) -> strategy_pb2.StrategyRecord:
        """One strategy's record."""
        record = self._records.get(strategy, _Record())
        return strategy_pb2.StrategyRecord(
            trades=record.trades,
            winners=record.winners,
            realized_profit_quote=decimal_text(record.profit),
        )

    def _add(self, votes: list[list[object]], profit: Decimal) -> None:
        for strategy, side, confidence, *_ in votes:
            if side == "BUY" and confidence:
                record = self._records.setdefault(str(strategy), _Record())
                record.trades += 1
                record.winners += profit > 0
                record.profit += profit
