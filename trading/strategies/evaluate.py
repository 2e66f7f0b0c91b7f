"""What a strategy says at some candles: the one function that every path uses (rulebook 3 and 9)."""

import inspect
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.signals import FULL_CONFIDENCE, MILLIONTHS, Side, Signal
from trading.strategies.base import (
    REASON_SEPARATOR,
    MarketView,
    Strategy,
    VectorStrategy,
    checked_frame,
    split_reasons,
)
from trading.strategies.failures import FAILURES, failure_text
from trading.strategies.loop import wait_for

HOLD, BUY, SELL, ABSENT = 0, 1, -1, 2
# A block of so many rows that failed is probed at so many candles before each is asked by itself.
_LARGE, _PROBES = 1024, 32
_SIDES = {HOLD: Side.HOLD, BUY: Side.BUY, SELL: Side.SELL}
CODES = {side: code for code, side in _SIDES.items()}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a strategy said at the rows `first` to `last` of a frame; index 0 is the row `first`.

    `sides` is int8: BUY 1, SELL -1, HOLD 0, ABSENT 2. `confidences` is int64, in millionths of a percent, 0
    where absent. `reasons` keeps the strategy's own column. `errors` says, by index, why a candle that was
    asked gave no signal; a candle that is warming up, was not asked or was left out has no error.
    """

    sides: NDArray[np.int8]
    confidences: NDArray[np.int64]
    reasons: pl.Series | None
    errors: dict[int, str]

    def __len__(self) -> int:
        return len(self.sides)

    def signal(self, index: int, strategy: str, symbol: str, open_time_ms: int) -> Signal | None:
        """The signal at an index, stamped with who said it and of which candle; None when absent."""
        code = int(self.sides[index])
        if code == ABSENT:
            return None
        reasons = self.reasons_at(index)
        return Signal(_SIDES[code], int(self.confidences[index]), reasons, strategy, symbol, open_time_ms)

    def signals(
        self, first: int, last: int, strategy: str, symbol: str, open_times_ms: Sequence[int]
    ) -> list[Signal | None]:
        """The signals of the indices `first` to `last`, as `signal` gives each of them."""
        sides = self.sides[first:last].tolist()
        confidences = self.confidences[first:last].tolist()
        words: Iterable[Any] = repeat(None) if self.reasons is None else self.reasons[first:last].to_list()
        return [
            None
            if code == ABSENT
            else Signal(
                _SIDES[code], confidence, split_reasons(reasons) if reasons else (), strategy, symbol, time_ms
            )
            for code, confidence, reasons, time_ms in zip(
                sides, confidences, words, open_times_ms, strict=False
            )
        ]

    def reasons_at(self, index: int) -> tuple[str, ...]:
        """The reasons in words at an index; none when absent."""
        found = None if self.reasons is None or self.sides[index] == ABSENT else self.reasons[index]
        return split_reasons(found.to_list() if isinstance(found, pl.Series) else found)


def evaluate(
    strategy: Strategy,
    symbol: str,
    timeframe: str,
    candles: pl.DataFrame,
    first: int = 0,
    last: int | None = None,
    *,
    candles_before: int = 0,
    closes_before: int = 0,
    every_candles: int | None = None,
    news: tuple[Any, ...] = (),
) -> Evaluated:
    """What the strategy says at the rows `first` (included) to `last` (not included; None: the end).

    `candles` (columns as in MarketView) may be the whole history or a window of it. `candles_before` counts
    the symbol's own candles before its first row (for the warm-up), `closes_before` the run's open times
    from the anchor to that row (for `every_candles`, which defaults to the strategy's own).
    The answer is the same for one candle, a batch, and the whole history at once. Never raises what the
    strategy raises. Raises ValueError when the window lacks rows that the strategy's memory needs.
    """
    last = candles.height if last is None else last
    _check_window(strategy, candles.height, first, last, candles_before)
    every = strategy.every_candles if every_candles is None else every_candles
    asked = asked_rows(strategy, first, last, candles_before, closes_before, every)
    job = _Job(strategy, MarketView(symbol, timeframe, candles), news, first, asked)
    if isinstance(strategy, VectorStrategy):
        return _ask_block(job, strategy, first, last)
    return _ask_each(job)


def asked_rows(
    strategy: Strategy, first: int, last: int, candles_before: int, closes_before: int, every_candles: int
) -> NDArray[np.bool_]:
    """Whether the strategy is asked, for the rows `first` to `last`: warmed up, and at its k-th close."""
    rows = np.arange(first, last)
    warm: NDArray[np.bool_] = candles_before + rows + 1 >= strategy.warmup_candles
    due: NDArray[np.bool_] = (closes_before + rows + 1) % every_candles == 0
    return warm & due


class _Job(NamedTuple):
    """One call of `evaluate`: `asked` says it for each row from `first` on."""

    strategy: Strategy
    market: MarketView
    news: tuple[Any, ...]
    first: int
    asked: NDArray[np.bool_]

    def window(self, first: int, last: int) -> pl.DataFrame:
        """The candles that decide the rows `first` to `last`."""
        memory = self.strategy.memory_candles
        start = 0 if memory is None else max(0, first - memory + 1)
        return self.market.candles.slice(start, last - start)

    def failure(self, error: BaseException) -> str:
        return failure_text(error, inspect.getfile(type(self.strategy)))


def _check_window(strategy: Strategy, height: int, first: int, last: int, candles_before: int) -> None:
    if not 0 <= first <= last <= height:
        raise ValueError(f"rows {first} to {last} are not within the {height} candles")
    memory = strategy.memory_candles
    if candles_before and (memory is None or first + 1 < min(memory, candles_before + first + 1)):
        raise ValueError(f"row {first} has too few candles before it for a memory of {memory or 'all'}")


def _absent(rows: int, errors: dict[int, str] | None = None) -> Evaluated:
    return Evaluated(np.full(rows, ABSENT, np.int8), np.zeros(rows, np.int64), None, errors or {})


# The vectorised form.


def _ask_block(job: _Job, strategy: VectorStrategy, first: int, last: int) -> Evaluated:
    """The rows in one call; when that fails, each half by itself, down to the candles that fail alone."""
    asked = job.asked[first - job.first : last - job.first]
    if not asked.any():
        return _absent(last - first)
    try:
        window = job.window(first, last)
        frame = checked_frame(strategy.signals(window), window.height)
        return _decoded(frame.tail(last - first), asked)
    except FAILURES as error:
        if last - first == 1:
            return _absent(1, {0: job.failure(error)})
    if last - first >= _LARGE and (text := _fails_everywhere(job, strategy, first, last)):
        return _absent(last - first, dict.fromkeys(map(int, np.flatnonzero(asked)), text))
    middle = (first + last) // 2
    return _joined(_ask_block(job, strategy, first, middle), _ask_block(job, strategy, middle, last))


def _fails_everywhere(job: _Job, strategy: VectorStrategy, first: int, last: int) -> str | None:
    """The one error at each candle of an even sample, if so: who is broken is not asked a million times."""
    rows = first + np.flatnonzero(job.asked[first - job.first : last - job.first])
    texts: set[str] = set()
    for row in rows[np.linspace(0, len(rows) - 1, _PROBES).astype(int)]:
        texts.add(_ask_block(job, strategy, int(row), int(row) + 1).errors.get(0, ""))
        if len(texts) > 1:
            return None
    return texts.pop() or None


def _decoded(frame: pl.DataFrame, asked: NDArray[np.bool_]) -> Evaluated:
    words = frame["side"].cast(pl.String)
    sides = np.full(frame.height, ABSENT, np.int8)
    for side, code in CODES.items():
        sides[(words == side.value).fill_null(False).to_numpy()] = code
    percent = frame["confidence"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    spoke = words.is_not_null().to_numpy() & asked
    wrong = spoke & ((sides == ABSENT) | ~((percent >= 0) & (percent <= 100)))
    errors = {int(i): _row_fault(words[int(i)], percent[i]) for i in np.flatnonzero(wrong)}
    sides[~spoke | wrong] = ABSENT
    confidences = np.rint(np.where(sides == ABSENT, 0.0, percent) * MILLIONTHS).astype(np.int64)
    return Evaluated(sides, confidences, frame.get_column("reasons", default=None), errors)


def _row_fault(side: str, percent: float) -> str:
    if side not in list(Side):
        return f"side {side!r} is not BUY, SELL or HOLD"
    return f"confidence {percent} is not within 0 to 100"


def _joined(left: Evaluated, right: Evaluated) -> Evaluated:
    return Evaluated(
        np.concatenate((left.sides, right.sides)),
        np.concatenate((left.confidences, right.confidences)),
        pl.concat([_reason_lists(left), _reason_lists(right)]),
        left.errors | {len(left) + index: text for index, text in right.errors.items()},
    )


def _reason_lists(part: Evaluated) -> pl.Series:
    """The reasons of a part as lists, so that parts of any kind can be joined."""
    if part.reasons is None:
        return pl.Series([None] * len(part), dtype=pl.List(pl.String))
    if part.reasons.dtype == pl.String:
        return part.reasons.str.split(REASON_SEPARATOR)
    return part.reasons.cast(pl.List(pl.String))


# The per-candle form.


def _ask_each(job: _Job) -> Evaluated:
    """Candle by candle, each with the history up to it."""
    answer = _absent(len(job.asked))
    reasons: list[tuple[str, ...] | None] = [None] * len(job.asked)
    for index in map(int, np.flatnonzero(job.asked)):
        try:
            signal = _ask_one(job, job.first + index)
        except FAILURES as error:
            answer.errors[index] = job.failure(error)
            continue
        if signal is not None:
            answer.sides[index] = CODES[signal.side]
            answer.confidences[index] = signal.confidence
            reasons[index] = split_reasons(signal.reasons) or None
    return replace(answer, reasons=pl.Series(reasons, dtype=pl.List(pl.String)))


def _ask_one(job: _Job, row: int) -> Signal | None:
    """The signal of one row; raises what the strategy raises, and when it is no proper signal."""
    market = MarketView(job.market.symbol, job.market.timeframe, job.window(row, row + 1))
    answer = job.strategy.analyze(market, job.news)
    signal = wait_for(answer) if isinstance(answer, Awaitable) else answer
    if signal is None:
        return None
    if not isinstance(signal, Signal) or not isinstance(signal.side, Side):
        raise TypeError(f"analyze gave {signal!r:.100}, not a signal; make it with buy, sell or hold")
    if type(signal.confidence) is not int or not 0 <= signal.confidence <= FULL_CONFIDENCE:
        raise ValueError(f"confidence {signal.confidence} is not within 0 to {FULL_CONFIDENCE} millionths")
    return signal
