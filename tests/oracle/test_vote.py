"""The oracle's vote against hand-computed scores (rulebook 3)."""

from fractions import Fraction

import pytest

from tests.oracle.vote import BUY, HOLD, SELL, Answer, Voters, outcome


def answers(*said: tuple[str, str, str]) -> list[Answer]:
    return [Answer("v", Fraction(w), side, Fraction(c)) for w, side, c in said]


@pytest.mark.parametrize(
    ("said", "enabled", "expected"),
    [
        ([("1", BUY, "100")], "1", BUY),
        ([], "1", HOLD),  # no votes
        ([("1", BUY, "0")], "1", HOLD),  # answered, no vote
        ([("1", BUY, "100"), ("1", SELL, "100")], "2", HOLD),  # a tie for the highest
        ([("1", BUY, "80"), ("1", HOLD, "80")], "2", HOLD),
        ([("1", BUY, "60"), ("1", HOLD, "0")], "2", BUY),  # 60 / 1: no opinion does not weigh
        ([("1", BUY, "100"), ("1", SELL, "1")], "2", BUY),  # 100 / 2 = 50 reaches the threshold
        ([("1", BUY, "99.999999"), ("1", SELL, "1")], "2", HOLD),  # 49.9999995 does not
        ([("2", BUY, "60"), ("1", SELL, "100")], "3", HOLD),  # 40 against 33.3: under the threshold
        ([("1", BUY, "100")], "2", BUY),  # the quorum is half of 2
        ([("1", BUY, "100")], "2.000001", HOLD),
        ([("1", BUY, "100"), ("1", SELL, "0")], "3", BUY),  # 2 of 3 answered
    ],
)
def test_outcome_of_answers_is_the_hand_computed_side(
    said: list[tuple[str, str, str]], enabled: str, expected: str
) -> None:
    assert outcome(answers(*said), Fraction(enabled), Fraction(50), Fraction(1, 2)) == expected


def test_signal_valid_for_three_counts_until_a_newer_one_replaces_it() -> None:
    strategy = {"name": "v", "weight": 1, "enabled": True, "valid_candles": 3, "warmup_candles": 2}
    said = {1: BUY, 2: BUY, 7: SELL, 8: HOLD}
    voters = Voters([strategy], {("v", "A", t): (side, 100) for t, side in said.items()})  # type: ignore[misc]
    heard = [[a.side for a in voters.answers("A", t, t)] for t in range(1, 12)]
    # Candle 1 is warm-up; 2 counts at 2, 3, 4; 7 is replaced by 8, which counts at 8, 9, 10.
    assert heard == [[], [BUY], [BUY], [BUY], [], [], [SELL], [HOLD], [HOLD], [HOLD], []]
