"""Candles as an exchange's REST API tells them, page by page."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from actors.market_data.exchange.asking import Asking
from trading.errors import InputError
from trading.live_candles import Row
from trading.timeframe import timeframe_ms, timeframe_name

# How many come at once where ccxt does not know it.
_USUAL_PAGE = 100


class Page(Struct, frozen=True):
    """Rows of candles that open from `since_ms` on, all that there are before `until_ms`."""

    rows: list[Row]
    since_ms: int
    until_ms: int


class CandleRows:
    """The candles of one timeframe. Raises InputError when the exchange does not have it."""

    def __init__(self, asking: Asking, length_ms: int) -> None:
        self._asking = asking
        self._client = asking.client
        self._length_ms = length_ms
        self.timeframe = timeframe_of(self._client, length_ms)

    async def page(self, symbol: str, since_ms: int, candles: int | None = None) -> Page:
        """The next rows from an open time on, at most so many (None: a whole page). Raises Unanswered."""
        most = self._client.feature_value(symbol, "fetchOHLCV", "limit") or _USUAL_PAGE
        limit = most if candles is None else min(most, candles)

        async def question() -> list[Row]:
            rows = await self._client.fetch_ohlcv(symbol, self.timeframe, since_ms, limit)
            if not isinstance(rows, list) or not all(isinstance(row, list) and row for row in rows):
                raise ValueError("its candles cannot be read")
            return rows

        rows = await self._asking.ask(question)
        until_ms = since_ms + limit * self._length_ms
        return Page(rows, since_ms, until_ms)

    async def newest_open_ms(self, symbol: str) -> int:
        """The open time of a symbol's newest candle; -1 when it has none. Raises Unanswered."""
        rows = await self._asking.ask(lambda: self._client.fetch_ohlcv(symbol, self.timeframe, None, 3))
        return max((row[0] for row in rows if isinstance(row[0], int)), default=-1)


def timeframe_of(client: Any, length_ms: int) -> str:
    """The exchange's name of a timeframe. Raises InputError when it does not have it."""
    known = _known(client.timeframes or {})
    if length_ms not in known:
        has = ", ".join(timeframe_name(each) for each in sorted(known))
        raise InputError(
            f"engine.timeframe: {client.id} has no candles of {timeframe_name(length_ms)!r}; "
            f"allowed: {has or 'none'}"
        )
    return known[length_ms]


def _known(names: Mapping[str, Any]) -> dict[int, str]:
    """Names by length in ms; months have no fixed length and are left out."""
    known = {}
    for name in names:
        try:
            known[timeframe_ms(name)] = name
        except InputError:
            continue
    return known
