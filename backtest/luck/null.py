"""Candles without pattern: what a sweep finds in them, it finds by luck."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backtest.luck.best_of_many import Floats
from backtest.trial import Study, TrialResult, run_trial
from trading.candle_files import PRICES
from trading.errors import AutotraderError
from trading.grid import merged_times
from trading.history import History
from trading.price_ticks import LARGEST_TICKS, Ticks, to_prices
from trading.settings import Settings

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class NullBests:
    """The best of each sweep over permuted candles, to hold against the best of the real one.

    `observed` and `bests` are the same figure, and higher is better (negate one that is minimised);
    None where no trial had that figure. `trials` says how many trials each permuted sweep made.
    """

    observed: float
    bests: Sequence[float | None]
    trials: int


def null_best(
    study: Study,
    trials: Iterable[Settings],
    figure: Callable[[TrialResult], float | None],
    seed: int,
) -> float | None:
    """The best figure of these trials over candles permuted with this seed; trials that fail are left out."""
    without_pattern = permuted_study(study, seed)
    found = []
    for settings in trials:
        try:
            found.append(figure(run_trial(without_pattern, settings)))
        except AutotraderError:
            continue
    return max((value for value in found if value is not None), default=None)


def permuted_study(study: Study, seed: int) -> Study:
    """The study with the candles in its range permuted; those that only warm up stay."""
    return Study(permuted_together(study.histories, seed, study.first_open_ms), study.first_open_ms)


def permuted(history: History, seed: int) -> History:
    """One symbol's history with its candles permuted, as `permuted_together` does."""
    return permuted_together([history], seed)[0]


def permuted_together(
    histories: Sequence[History], seed: int, first_open_ms: int | None = None
) -> list[History]:
    """Histories with the relative shapes of their candles in another order (Masters 2018, chapter 7).

    The gaps from the close before to the open are permuted, and, apart from them, what lies inside a
    candle: high, low and close relative to its open, with its volume. So the distribution of all moves,
    the drift and the last close stay; patterns in their order go, calm and wild stretches too. Moves that
    symbols made at the same open time stay together. What opens before `first_open_ms` stays, and so
    does each symbol's first candle; filled candles keep their places.
    """
    times = merged_times([history.open_times_ms for history in histories])
    places = [np.searchsorted(times, history.open_times_ms) for history in histories]
    moving = [_moving(history, first_open_ms) for history in histories]
    groups = np.zeros(len(times), np.int64)
    for place, moves in zip(places, moving, strict=True):
        present = np.zeros(len(times), np.int64)
        present[place] = moves
        groups = np.unique(2 * groups + present, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    gaps, shapes = _shuffled(groups, random), _shuffled(groups, random)
    made = []
    for history, place, moves in zip(histories, places, moving, strict=True):
        row_at = np.zeros(len(times), np.int64)
        row_at[place] = np.arange(len(place))
        rows = np.flatnonzero(moves)
        at = place[rows]
        made.append(_rebuilt(history, rows, row_at[gaps[at]], row_at[shapes[at]]))
    return made


def _moving(history: History, first_open_ms: int | None) -> NDArray[np.bool_]:
    """Which candles take part: real ones in range that have a candle before them."""
    moving = ~history.candles["filled"].to_numpy()
    first = 0 if first_open_ms is None else history.first_row_from(first_open_ms)
    moving[: max(1, first)] = False
    return moving


def _shuffled(groups: Rows, random: np.random.Generator) -> Rows:
    """For each open time the one that it takes from, drawn among those where the same symbols move."""
    members = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups))
    order = np.empty_like(groups)
    for group in np.split(members, ends[:-1]):
        order[group] = random.permutation(group)
    return order


def _rebuilt(history: History, rows: Rows, gap_rows: Rows, shape_rows: Rows) -> History:
    """The history with other gaps and shapes at these rows: prices from the first of them on follow."""
    if not rows.size:
        return history
    ticks = [history.candles[f"{name}_ticks"].to_numpy() for name in PRICES]
    opens, highs, lows, closes = (np.log(column) for column in ticks)
    gaps = opens[gap_rows] - closes[gap_rows - 1]
    up, down, move = (column[shape_rows] - opens[shape_rows] for column in (highs, lows, closes))
    ends = closes[rows[0] - 1] + np.cumsum(gaps + move)
    begins = ends - move
    made = [_ticks(column) for column in (begins, begins + up, begins + down, ends)]
    made[1] = np.maximum.reduce(made)
    made[2] = np.minimum.reduce(made)
    volume = history.candles["volume"].to_numpy().copy()
    volume[rows] = volume[shape_rows]
    return _with(history, _on_grid(ticks, rows, made), volume)


def _ticks(logarithms: Floats) -> Ticks:
    """Prices in ticks from their logarithms, at least one tick."""
    within = np.minimum(logarithms, np.log(LARGEST_TICKS / 2))
    return np.maximum(1, np.rint(np.exp(within))).astype(np.int64)


def _on_grid(before: Sequence[Ticks], rows: Rows, made: Sequence[Ticks]) -> list[Ticks]:
    """All candles: as before up to the first made one, then the made ones, filled ones at the last close."""
    first = rows[0]
    columns = [np.concatenate([column[:first], np.zeros(len(column) - first, np.int64)]) for column in before]
    last_moved = np.searchsorted(rows, np.arange(first, len(before[0])), side="right") - 1
    for column, new in zip(columns, made, strict=True):
        column[first:] = made[-1][last_moved]
        column[rows] = new
    return columns


def _with(history: History, ticks: Sequence[Ticks], volume: Floats) -> History:
    columns = {
        column: values
        for name, each in zip(PRICES, ticks, strict=True)
        for column, values in ((name, to_prices(each, history.market.tick)), (f"{name}_ticks", each))
    }
    candles = history.candles.with_columns(
        volume=pl.Series(volume), **{n: pl.Series(v) for n, v in columns.items()}
    )
    return History(history.market, history.timeframe_ms, candles)
