"""What strategies say, as codes: made once for a set of parameters, kept while there is room."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtest.fast.arrays import Bytes
from backtest.fast.candles import CandleArrays
from backtest.fast.simulate import Words
from backtest.fast.votes import sma_crosses
from backtest.simulation import Asked, Chosen
from trading.history import History
from trading.settings import StrategySettings
from trading.strategies.base import Strategy, VectorStrategy
from trading.strategies.sma_cross import SmaCross

MOST_BYTES = 64_000_000
_LARGEST = 2**62

Codes = tuple[Bytes, NDArray[np.int32]]
Key = Hashable
# Sides and confidences of one candle.
BYTES_A_CANDLE = 5


@dataclass(frozen=True)
class Ground:
    """The candles that strategies speak of, as histories and as arrays."""

    histories: Sequence[History]
    candles: CandleArrays


class SignalCache:
    """The signals of the strategies on some candles. The oldest go when they take more than MOST_BYTES;
    moving-average crosses are not kept, since to make them is as quick as to look them up.

    `shared` are signals that another process has made, by their key.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        candles = ground.candles
        self._closes_before = [
            int(candles.times_ms[offset] - candles.times_ms[0]) // candles.timeframe_ms
            for offset in candles.offsets
        ]
        self.shared: Mapping[Key, Callable[[], Codes]] = {}
        self._kept: OrderedDict[Key, Codes] = OrderedDict()
        self._bytes = 0
        self._rooms: dict[int, Words] = {}

    def words(self, strategies: Chosen) -> list[Words]:
        """What these strategies say of each symbol; good until the next call."""
        return [self._symbol(s, strategies) for s in range(len(self._ground.histories))]

    def made(self, chosen: StrategySettings, strategy: Strategy) -> dict[Key, Codes]:
        """What one strategy says of each symbol, by key, for others to share; nothing for a strategy that is
        asked candle by candle, or whose signals are not kept. Raises OperationError when it always fails."""
        if not isinstance(strategy, VectorStrategy) or type(strategy) is SmaCross:
            return {}
        asked = [self._asked(s, chosen, strategy) for s in range(len(self._ground.histories))]
        return {_key(s, chosen, each): _codes(each) for s, each in enumerate(asked)}

    def _symbol(self, s: int, strategies: Chosen) -> Words:
        room = self._room(s, len(strategies))
        for k, (chosen, strategy) in enumerate(strategies):
            if not self._crosses(s, chosen, strategy, room.sides[k], room.confidences[k]):
                room.sides[k], room.confidences[k] = self._codes(s, chosen, strategy)
        return room

    def _room(self, s: int, strategies: int) -> Words:
        room = self._rooms.get(s)
        if room is None or len(room.sides) != strategies:
            shape = (strategies, self._ground.candles.lengths[s])
            room = self._rooms[s] = Words(np.zeros(shape, np.int8), np.zeros(shape, np.int32))
        return room

    def _crosses(
        self,
        s: int,
        chosen: StrategySettings,
        strategy: Strategy,
        sides: Bytes,
        confidences: NDArray[np.int32],
    ) -> bool:
        """Fill in the signals of `sma_cross` by its compiled form; whether it is one and its sums fit."""
        if type(strategy) is not SmaCross:
            return False
        candles = self._ground.candles
        if candles.highest_tick * max(candles.lengths[s], strategy.fast * strategy.slow) >= _LARGEST:
            return False
        sums = candles.close_sums[s]
        asked = self._asked(s, chosen, strategy)
        sma_crosses(
            sums, strategy.fast, strategy.slow, asked.every_candles, asked.closes_before, sides, confidences
        )
        return True

    def _codes(self, s: int, chosen: StrategySettings, strategy: Strategy) -> Codes:
        asked = self._asked(s, chosen, strategy)
        key = _key(s, chosen, asked)
        if key in self.shared:
            return self.shared[key]()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        codes = self._kept[key] = _codes(asked)
        self._bytes += _size(codes)
        while self._bytes > MOST_BYTES and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return codes

    def _asked(self, s: int, chosen: StrategySettings, strategy: Strategy) -> Asked:
        every = chosen.every_candles or strategy.every_candles
        return Asked(self._ground.histories[s], chosen.name, strategy, self._closes_before[s], every)


def _key(s: int, chosen: StrategySettings, asked: Asked) -> Key:
    """What a strategy's signals on a symbol follow from, beside the candles."""
    params = tuple(asked.strategy.params.items())
    return s, chosen.type, chosen.path, params, asked.every_candles


def _codes(asked: Asked) -> Codes:
    said = asked.answer()
    return said.sides, said.confidences.astype(np.int32)


def _size(codes: Codes) -> int:
    return sum(array.nbytes for array in codes)
