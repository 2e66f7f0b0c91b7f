"""The candles that the run has stored: what was decided on stays as it was."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, select

from actors.persistence import tables
from actors.persistence.engine_url import NoDatabaseYet, open_engine, operation_errors
from actors.persistence.version import is_current
from trading.candles import Candle
from trading.events import CandlesClosed


class StoredCandles:
    """A run's candles; none where nothing was stored yet.

    Every method opens and closes a connection of its own, and raises OperationError when that fails.
    """

    def __init__(self, url: str, run_id: int, ticks: Mapping[str, Decimal]) -> None:
        self._url = url
        self._run_id = run_id
        self._ticks = ticks

    def last(self) -> CandlesClosed | None:
        """The newest open time that is stored, if there is one."""
        newest = self._rows(select(func.max(tables.candles.c.open_time).label("open_time")))
        if not newest or newest[0]["open_time"] is None:
            return None
        time_ms: int = newest[0]["open_time"]
        return self.closed(time_ms, time_ms + 1)[0]

    def closed(self, first_ms: int, end_ms: int) -> list[CandlesClosed]:
        """The open times from the first on and before the end."""
        table = tables.candles
        order = {symbol: place for place, symbol in enumerate(self._ticks)}
        query = select(table).where(table.c.open_time >= first_ms, table.c.open_time < end_ms)
        rows = [row for row in self._rows(query) if row["symbol"] in order]
        rows.sort(key=lambda row: (row["open_time"], order[row["symbol"]]))
        return [
            CandlesClosed(time_ms, tuple(map(self._candle, together)))
            for time_ms, together in groupby(rows, key=lambda row: row["open_time"])
        ]

    def _candle(self, row: Mapping[str, Any]) -> Candle:
        symbol = row["symbol"]
        opened, high, low, close = (
            int(row[name] / self._ticks[symbol]) for name in ("open", "high", "low", "close")
        )
        return Candle(symbol, opened, high, low, close, row["volume"], row["filled"])

    def _rows(self, query: Select[Any]) -> list[Mapping[str, Any]]:
        try:
            engine = open_engine(self._url, read_only=True)
        except NoDatabaseYet:
            return []
        try:
            with operation_errors(), engine.connect() as connection:
                if not is_current(connection):
                    return []
                mine = query.where(tables.candles.c.run_id == self._run_id)
                return [dict(row) for row in connection.execute(mine).mappings()]
        finally:
            engine.dispose()
