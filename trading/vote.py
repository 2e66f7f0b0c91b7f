"""The vote: signals and weights in, one outcome out (rulebook 3). Exact in integers."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from trading.rules import PERCENT, Seat, VoteRules
from trading.signals import Side, Signal


class Why(StrEnum):
    """What decided an outcome."""

    WON = "won"
    NO_VOTES = "no_votes"
    TIE = "tie"
    UNDER_THRESHOLD = "under_threshold"
    NO_QUORUM = "no_quorum"


class Vote(Struct, frozen=True, array_like=True):
    """A signal that was counted, with the weight (in millionths) that it had."""

    strategy: str
    side: Side
    confidence: int
    weight: int
    open_time_ms: int
    reasons: tuple[str, ...] = ()


class Outcome(Struct, frozen=True, array_like=True):
    """How a vote ended, why, the winner's score in percent, and every vote that led to it."""

    side: Side
    why: Why
    score_percent: float
    votes: tuple[Vote, ...]


_SIDES = (Side.BUY, Side.SELL, Side.HOLD)


def tally(
    signals: Mapping[str, Signal],
    validity_ms: Mapping[str, int],
    seats: Iterable[Seat],
    rules: VoteRules,
    open_time_ms: int,
) -> Outcome:
    """Count the vote of one symbol at the close of one candle.

    `signals` holds each strategy's newest signal by its name; it counts while it is younger than
    `validity_ms` of that strategy. Disabled seats and absent strategies do not vote.
    """
    enabled = answered = opinion = 0
    sums = {Side.BUY: 0, Side.SELL: 0, Side.HOLD: 0}
    votes: list[Vote] = []
    for seat in seats:
        if not seat.enabled:
            continue
        enabled += seat.weight
        signal = signals.get(seat.name)
        if signal is None or open_time_ms - signal.open_time_ms >= validity_ms[seat.name]:
            continue
        answered += seat.weight
        votes.append(
            Vote(
                seat.name,
                signal.side,
                signal.confidence,
                seat.weight,
                signal.open_time_ms,
                signal.reasons,
            )
        )
        if signal.confidence:
            opinion += seat.weight
            sums[signal.side] += seat.weight * signal.confidence
    side, why, score = _decide(sums, opinion, rules.confidence_threshold)
    if why is not Why.NO_VOTES and answered * PERCENT < rules.quorum * enabled:
        side, why = Side.HOLD, Why.NO_QUORUM
    return Outcome(side, why, score, tuple(votes))


def _decide(sums: Mapping[Side, int], opinion: int, threshold: int) -> tuple[Side, Why, float]:
    """The winning side of the weighted sums, what decided, and the winner's score in percent."""
    if not opinion:
        return Side.HOLD, Why.NO_VOTES, 0.0
    best = max(sums.values())
    score = best / (opinion * PERCENT)
    winners = [side for side in _SIDES if sums[side] == best]
    if len(winners) > 1:
        return Side.HOLD, Why.TIE, score
    if winners[0] is not Side.HOLD and best < threshold * opinion:
        return Side.HOLD, Why.UNDER_THRESHOLD, score
    return winners[0], Why.WON, score
