"""The vote of one symbol over all its candles, compiled: rulebook 3, as trading.vote decides it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtest.fast.arrays import Bytes, Ints
from backtest.fast.compiled import compiled
from trading.rules import PERCENT
from trading.strategies.evaluate import ABSENT, BUY, HOLD, SELL

WON, NO_VOTES, TIE, UNDER_THRESHOLD, NO_QUORUM = 0, 1, 2, 3, 4


class Ballot(NamedTuple):
    """How each candle's vote ended: outcome (BUY 1, SELL -1, HOLD 0), why, and the winner's weighted sum
    over the weight that had an opinion. The last three may have no rows: then they are not kept."""

    outcomes: Bytes
    why: Bytes
    best: Ints
    opinion: Ints


@compiled
def vote(
    sides: Bytes,
    confidences: NDArray[np.int32],
    first: int,
    weights: Ints,
    valid_candles: Ints,
    threshold: int,
    quorum: int,
    ballot: Ballot,
) -> None:
    """Count the votes; `sides` and `confidences` are (enabled strategies, candles), confidences in millionths
    of a percent, weights in millionths. A signal counts for `valid_candles` closes, its own included, from
    the candle `first` on, whose vote is the first of the ballot."""
    strategies = len(sides)
    keep = len(ballot.why) > 0
    enabled = weights.sum()
    counted = np.full(strategies, ABSENT, np.int8)
    confidence = np.zeros(strategies, np.int64)
    said = np.zeros(strategies, np.int64)
    for place in range(len(ballot.outcomes)):
        row = first + place
        buy = sell = hold = answered = opinion = 0
        for k in range(strategies):
            side = sides[k, row]
            if side != ABSENT:
                counted[k], confidence[k], said[k] = side, confidences[k, row], row
            elif counted[k] != ABSENT and row - said[k] >= valid_candles[k]:
                counted[k] = ABSENT
            if counted[k] == ABSENT:
                continue
            answered += weights[k]
            if confidence[k] == 0:
                continue
            opinion += weights[k]
            if counted[k] == BUY:
                buy += weights[k] * confidence[k]
            elif counted[k] == SELL:
                sell += weights[k] * confidence[k]
            else:
                hold += weights[k] * confidence[k]
        best = max(buy, sell, hold)
        outcome, why = HOLD, WON
        if opinion == 0:
            why = NO_VOTES
        elif answered * PERCENT < quorum * enabled:
            why = NO_QUORUM
        elif (buy == best) + (sell == best) + (hold == best) > 1:
            why = TIE
        elif hold != best and best < threshold * opinion:
            why = UNDER_THRESHOLD
        elif buy == best:
            outcome = BUY
        elif sell == best:
            outcome = SELL
        ballot.outcomes[place] = outcome
        if keep:
            ballot.why[place], ballot.best[place], ballot.opinion[place] = why, best, opinion


@compiled
def vote_alone(sides: Bytes, confidences: NDArray[np.int32], threshold: int, outcomes: Bytes) -> None:
    """The outcomes of `vote` where one strategy votes, with a weight, and each signal counts once."""
    for row in range(len(outcomes)):
        speaks = confidences[row] > 0 and confidences[row] >= threshold
        decides = sides[row] == BUY or sides[row] == SELL
        outcomes[row] = sides[row] if speaks and decides else HOLD


@compiled
def sma_crosses(sums: Ints, fast: int, slow: int, every: int, closes_before: int, sides, confidences):  # type: ignore[no-untyped-def]
    """What `sma_cross` says of every candle: BUY or SELL with full confidence at a cross, HOLD 0 else.

    `sums` are the sums of the first n closes in ticks (from 0 on, one more than candles); the products
    must fit into 64 bits. Equal to `SmaCross.signals`, which has the reasons too.
    """
    candles = len(sums) - 1
    sides[: min(slow, candles)] = ABSENT
    confidences[:candles] = 0
    if candles <= slow:
        return
    before = (sums[slow] - sums[slow - fast]) * slow - (sums[slow] - sums[0]) * fast
    for row in range(slow, candles):
        end = row + 1
        gap = (sums[end] - sums[end - fast]) * slow - (sums[end] - sums[end - slow]) * fast
        side = HOLD
        if gap > 0 and before <= 0:
            side = BUY
        elif gap < 0 and before >= 0:
            side = SELL
        sides[row] = side
        if side != HOLD:
            confidences[row] = 100_000_000
        before = gap
    if every > 1:
        for row in range(candles):
            if (closes_before + row + 1) % every:
                sides[row] = ABSENT
                confidences[row] = 0
