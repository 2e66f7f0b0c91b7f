"""Signals that many trials need are made once, and shared by all workers."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from backtest.fast.signals import BYTES_A_CANDLE, Codes, Key
from backtest.sweep.plan import SweepPlan
from backtest.sweep.windows import Span

# More than this is not held for all; each worker then keeps what it made last.
MOST_SHARED_BYTES = 256_000_000

Shared = Mapping[Key, Callable[[], Codes]]


class SignalSet(NamedTuple):
    """The signals of one strategy with the parameters that it has at a place of the space."""

    strategy: str
    place: int


class MakeSignals(Struct, frozen=True):
    """What workers are told when signals are to be made."""


class OnCandles(NamedTuple):
    """What trials are made over: the candles of a span, and the signals that are shared."""

    span: Span
    signals: Shared


def signal_sets(plan: SweepPlan) -> list[SignalSet]:
    """Every set of signals that more than one trial needs, if all of them fit into shared memory."""
    every = [list(_sets(plan, chosen.name)) for chosen in plan.settings.strategies]
    reused = [sets for sets in every if sets and len(sets) * 2 <= plan.all_trials]
    found = list(itertools.chain.from_iterable(reused))
    return found if len(found) * _set_bytes(plan) <= MOST_SHARED_BYTES else []


def shared_bytes(plan: SweepPlan) -> int:
    """The shared memory that a sweep needs: for its candles twice, and for the signals, in bytes."""
    candles = sum(each.candles.estimated_size() for each in plan.study.histories)
    return 2 * (int(candles) + len(signal_sets(plan)) * _set_bytes(plan))


def _set_bytes(plan: SweepPlan) -> int:
    return BYTES_A_CANDLE * sum(history.candles.height for history in plan.study.histories)


def _sets(plan: SweepPlan, strategy: str) -> Iterator[SignalSet]:
    """The strategy's sets; none when what it is, or its parameters, cannot be counted."""
    counts = []
    for dimension in plan.space.dimensions:
        own = dimension.path[:2] == ("strategies", strategy)
        decides = own and dimension.path[2] in ("params", "every_candles")
        counts.append(dimension.values.count if decides else 1)
    if math.prod(counts) > plan.all_trials:
        return
    for indices in itertools.product(*map(range, counts)):
        yield SignalSet(strategy, plan.space.place(indices))
