"""No looking ahead: a signal may depend on no later candle, and on the declared memory alone (rulebook 9)."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from trading.errors import StrategyError
from trading.signals import MILLIONTHS
from trading.strategies.base import Strategy, VectorStrategy
from trading.strategies.evaluate import ABSENT, BUY, SELL, Evaluated, asked_rows, evaluate
from trading.timeframe import iso

CUTS = 24
FEWEST_CUTS = 4
# About how many candles may be computed again for the cuts of one strategy and symbol.
RECOMPUTED_CANDLES = 2_000_000
# Sums in another order may round a confidence to the next millionth of a percent.
_ROUNDING = 1
_WORDS = {BUY: "BUY", SELL: "SELL", ABSENT: "nothing"}


class _Check(Struct, frozen=True):
    """What is checked: a strategy's word on a whole history, and the numbers it was asked with."""

    strategy: VectorStrategy
    name: str
    symbol: str
    timeframe: str
    candles: pl.DataFrame
    evaluated: Evaluated
    closes_before: int
    every_candles: int

    def again(self, start: int, first: int, last: int) -> Evaluated:
        """The rows `first` to `last`, computed from the candles `start` to `last` alone."""
        return evaluate(
            self.strategy,
            self.symbol,
            self.timeframe,
            self.candles.slice(start, last - start),
            first - start,
            candles_before=start,
            closes_before=self.closes_before + start,
            every_candles=self.every_candles,
        )

    def candle(self, row: int) -> str:
        """A candle in words."""
        time_ms = self.candles["timestamp"].dt.epoch("ms")[row]
        return f"the candle {iso(time_ms)} of {self.symbol}"


def check_no_lookahead(
    strategy: Strategy,
    symbol: str,
    timeframe: str,
    candles: pl.DataFrame,
    evaluated: Evaluated,
    seed: int,
    *,
    name: str | None = None,
    closes_before: int = 0,
    every_candles: int | None = None,
) -> None:
    """Compute a seeded sample of candles again without what came later, and from the memory alone.

    `candles` is the whole history from the symbol's first candle on, `evaluated` what `evaluate` gave for
    all of it with the same `closes_before` and `every_candles`. Raises StrategyError naming the strategy
    and the first candle that differs. A per-candle strategy never sees more, and is not checked.
    """
    if not isinstance(strategy, VectorStrategy):
        return
    every = strategy.every_candles if every_candles is None else every_candles
    name = strategy.type_name() if name is None else name
    check = _Check(strategy, name, symbol, timeframe, candles, evaluated, closes_before, every)
    rows = _sample(check, np.random.default_rng(seed))
    whole = max(FEWEST_CUTS, RECOMPUTED_CANDLES * 2 // max(1, candles.height))
    forgetful = [row for row in rows if _memory_differs(check, row)]
    faults = [fault for row in [*rows[:whole], *forgetful] for fault in _cut_faults(check, row)]
    if faults:
        raise StrategyError(min(faults)[1])
    if forgetful:
        raise StrategyError(_memory_fault(check, min(forgetful)))


def _sample(check: _Check, rng: np.random.Generator) -> list[int]:
    """Rows to cut after: the first where it was asked and the first where it spoke (the shortest
    histories tell most), then by turns one where it spoke (or beside it) and one anywhere it was asked.
    """
    height = check.candles.height
    asked = np.flatnonzero(asked_rows(check.strategy, 0, height, 0, check.closes_before, check.every_candles))
    if not len(asked):
        return []
    spoke = np.flatnonzero(np.isin(check.evaluated.sides, (BUY, SELL)))
    near = _draw(spoke, rng) + np.resize((0, 0, -1, 0, 0, 1), CUTS // 2) if len(spoke) else _draw(asked, rng)
    mixed = np.stack((near, _draw(asked, rng)), axis=1).ravel().clip(0, height - 1)
    return list(dict.fromkeys([*asked[:1].tolist(), *spoke[:1].tolist(), *mixed.tolist()]))


def _draw(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(rows, CUTS // 2)


def _cut_faults(check: _Check, row: int) -> Iterator[tuple[int, str]]:
    """The first row that reads otherwise when the history ends at `row`, with the sentence on it."""
    without = check.again(0, 0, row + 1)
    differs = np.flatnonzero(_differ(check.evaluated, without, 0))
    if len(differs):
        first = int(differs[0])
        said, alone = _said(check.evaluated, first), _said(without, first)
        yield (
            first,
            f"strategy {check.name!r} looks ahead: at {check.candle(first)} it said {said} with the later "
            f"candles and {alone} without them",
        )


def _memory_differs(check: _Check, row: int) -> bool:
    memory = check.strategy.memory_candles
    if memory is None or memory > row:
        return False
    alone = check.again(row + 1 - memory, row, row + 1)
    return bool(_differ(check.evaluated, alone, row)[0])


def _memory_fault(check: _Check, row: int) -> str:
    memory = check.strategy.memory_candles or 0
    alone = check.again(row + 1 - memory, row, row + 1)
    return (
        f"strategy {check.name!r} needs more memory than the {memory} candles it declares: at "
        f"{check.candle(row)} it said {_said(check.evaluated, row)} from the whole history and "
        f"{_said(alone, 0)} from the last {memory} candles"
    )


def _differ(whole: Evaluated, part: Evaluated, first: int) -> NDArray[np.bool_]:
    """Where a part differs from the same rows of the whole, which begin at row `first`."""
    rows = slice(first, first + len(part))
    confidences = np.abs(whole.confidences[rows] - part.confidences) > _ROUNDING
    differ: NDArray[np.bool_] = (whole.sides[rows] != part.sides) | confidences
    return differ


def _said(evaluated: Evaluated, index: int) -> str:
    """What was said, such as `BUY 66.666667`."""
    code = int(evaluated.sides[index])
    if code == ABSENT:
        error = evaluated.errors.get(index)
        return f"nothing ({error})" if error else "nothing"
    return f"{_WORDS.get(code, 'HOLD')} {int(evaluated.confidences[index]) / MILLIONTHS:g}"
