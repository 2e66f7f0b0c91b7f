"""What strategies say, as codes: made once for a set of parameters, kept while there is room."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
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
from trading.strategies.base import Strategy
from trading.strategies.sma_cross import SmaCross

MOST_BYTES = 64_000_000
_LARGEST = 2**62

Codes = tuple[Bytes, NDArray[np.int32]]


@dataclass(frozen=True)
class Ground:
    """The candles that strategies speak of, as histories and as arrays."""

    histories: Sequence[History]
    candles: CandleArrays


class SignalCache:
    """The signals of the strategies on some candles. The oldest go when they take more than MOST_BYTES;
    moving-average crosses are not kept, since to make them is as quick as to look them up."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kept: OrderedDict[Hashable, Codes] = OrderedDict()
        self._bytes = 0
        self._rooms: dict[int, Words] = {}

    def words(self, strategies: Chosen) -> list[Words]:
        """What these strategies say of each symbol; good until the next call."""
        return [self._symbol(s, strategies) for s in range(len(self._ground.histories))]

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
        params = tuple(strategy.params.items())
        key = (s, chosen.type, chosen.path, params, asked.every_candles)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        said = asked.answer()
        codes = said.sides, said.confidences.astype(np.int32)
        self._kept[key] = codes
        self._bytes += _size(codes)
        while self._bytes > MOST_BYTES and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return codes

    def _asked(self, s: int, chosen: StrategySettings, strategy: Strategy) -> Asked:
        return Asked.of(self._ground.histories[s], int(self._ground.candles.times_ms[0]), chosen, strategy)


def _size(codes: Codes) -> int:
    return sum(array.nbytes for array in codes)
