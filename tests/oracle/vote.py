"""The vote, said again (rulebook 3): who counts at a close, and what the outcome is."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

BUY, SELL, HOLD = "BUY", "SELL", "HOLD"

Signals = Mapping[tuple[str, str, int], tuple[str, Decimal]]


class Answer(NamedTuple):
    """A signal that counts at this close, with its strategy's weight; confidence 0 to 100."""

    strategy: str
    weight: Fraction
    side: str
    confidence: Fraction


def outcome(
    answers: Sequence[Answer], enabled_weight: Fraction, threshold: Fraction, quorum: Fraction
) -> str:
    """BUY, SELL or HOLD from the answers; the quorum is a share of the enabled weight."""
    voting_weight = sum((a.weight for a in answers if a.confidence > 0), Fraction(0))
    answered_weight = sum((a.weight for a in answers), Fraction(0))
    if voting_weight == 0 or answered_weight < quorum * enabled_weight:
        return HOLD
    score = {
        side: sum((a.weight * a.confidence for a in answers if a.side == side), Fraction(0)) / voting_weight
        for side in (BUY, SELL, HOLD)
    }
    best = max(score.values())
    winners = [side for side in score if score[side] == best]
    if len(winners) > 1 or best < threshold:
        return HOLD
    return winners[0]


class Voters:
    """The enabled strategies and the newest signal of each, per symbol."""

    def __init__(self, strategies: Sequence[Mapping[str, Any]], signals: Signals) -> None:
        self.enabled = [s for s in strategies if s["enabled"]]
        self.signals = signals
        self.newest: dict[tuple[str, str], tuple[int, str, Fraction]] = {}

    @property
    def longest_warmup(self) -> int:
        """The most candles that an enabled strategy needs."""
        return max((s["warmup_candles"] for s in self.enabled), default=0)

    @property
    def enabled_weight(self) -> Fraction:
        """The weights of the enabled strategies together."""
        return sum((Fraction(s["weight"]) for s in self.enabled), Fraction(0))

    def answers(self, symbol: str, time_ms: int, closed: int) -> list[Answer]:
        """The signals that count at this close, the symbol's `closed`-th, its own included."""
        result = []
        for strategy in self.enabled:
            name = strategy["name"]
            said = self.signals.get((name, symbol, time_ms))
            if said is not None and closed >= strategy["warmup_candles"]:
                self.newest[name, symbol] = (closed, said[0], Fraction(said[1]))
            made, side, confidence = self.newest.get((name, symbol), (None, HOLD, Fraction(0)))
            if made is not None and closed - made < strategy["valid_candles"]:
                result.append(Answer(name, Fraction(strategy["weight"]), side, confidence))
        return result
