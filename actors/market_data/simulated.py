"""The simulated market as a source of candles: seeded, marked SIMULATED, without an end."""

from collections.abc import Sequence
from itertools import repeat

from trading.candles import Candle
from trading.events import CandlesClosed
from trading.simulated_market import BLOCK_CANDLES, Block, SimulatedMarket, block

# A Wednesday; simulated time is not ours, and says so by being in the past.
ANCHOR_MS = 1_577_836_800_000
HISTORY_CANDLES = BLOCK_CANDLES


class SimulatedSource:
    """Candles of several simulated markets, block by block.

    It keeps the price at which each block starts, so that any block can be made again, and the
    block that was made last.
    """

    def __init__(self, markets: Sequence[SimulatedMarket]) -> None:
        self._timeframe_ms = markets[0].timeframe_ms
        self.length: int | None = None
        self._made = [_Blocks(market) for market in markets]

    def row_after(self, open_time_ms: int) -> int:
        """The first row after this open time."""
        return max(0, (open_time_ms - ANCHOR_MS) // self._timeframe_ms + 1)

    def closed(self, first_row: int, last_row: int) -> Sequence[CandlesClosed]:
        """The open times of these rows, every market with a candle at each."""
        columns = [made.candles(first_row, last_row) for made in self._made]
        return [
            CandlesClosed(ANCHOR_MS + (first_row + index) * self._timeframe_ms, together)
            for index, together in enumerate(zip(*columns, strict=True))
        ]


class _Blocks:
    """One market's blocks."""

    def __init__(self, market: SimulatedMarket) -> None:
        self._market = market
        self._starts = [market.start_ticks]
        self._newest: dict[int, list[Candle]] = {}

    def candles(self, first_row: int, last_row: int) -> list[Candle]:
        """The candles of these rows."""
        found: list[Candle] = []
        for index in range(first_row // BLOCK_CANDLES, (last_row - 1) // BLOCK_CANDLES + 1):
            start = index * BLOCK_CANDLES
            found += self._block(index)[max(0, first_row - start) : last_row - start]
        return found

    def _block(self, index: int) -> list[Candle]:
        if index not in self._newest:
            while len(self._starts) <= index:
                self._starts.append(self._make(len(self._starts) - 1).end_ticks)
            made = _candles(self._market.symbol, self._make(index))
            self._newest = {index - 1: self._newest.get(index - 1, []), index: made}
            if not self._newest[index - 1]:
                del self._newest[index - 1]
        return self._newest[index]

    def _make(self, index: int) -> Block:
        return block(self._market, index, self._starts[index])


def _candles(symbol: str, made: Block) -> list[Candle]:
    columns = (made.open, made.high, made.low, made.close, made.volume)
    return list(map(Candle, repeat(symbol), *(column.tolist() for column in columns)))
