"""Where a new run on a live exchange begins, and where the history before it."""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from actors.exchange_client import load_markets, make_client
from actors.market_data.exchange.asking import Asking
from actors.market_data.exchange.rows import CandleRows
from trading.errors import OperationError

LEAST_CANDLES = 300


class Warmup(Struct, frozen=True):
    """The anchor, and the open time of the run's first candle, in ms UTC."""

    anchor_ms: int
    first_open_ms: int


async def warmup(
    exchange_id: str,
    options: Mapping[str, Any],
    symbols: Sequence[str],
    timeframe_ms: int,
    candles: int,
    folder: str = "",
) -> Warmup:
    """A run that begins with the newest candle, which has not closed, after at least this much history.

    Raises InputError for an exchange, a symbol or a timeframe that is not there, OperationError when the
    exchange does not answer.
    """
    client = make_client(exchange_id, options)
    try:
        asking = Asking(client, time.monotonic, lambda: time.time_ns() // 1_000_000, random.Random())
        await asking.ask(lambda: load_markets(client, symbols, markets_file(folder, exchange_id)))
        rows = CandleRows(asking, timeframe_ms)
        newest_ms = max([await rows.newest_open_ms(symbol) for symbol in symbols])
    finally:
        await client.close()
    if newest_ms < 0:
        raise OperationError(f"exchange: {exchange_id} has no candles of {', '.join(symbols)}")
    return Warmup(newest_ms - max(LEAST_CANDLES, candles) * timeframe_ms, newest_ms)


def markets_file(folder: str, exchange_id: str) -> Path | None:
    """Where an exchange's markets are kept between starts."""
    return Path(folder) / f"{exchange_id}-markets.json" if folder else None
