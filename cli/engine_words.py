"""What the engine's messages say to a person at a shell."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from autotrader.v1 import engine_pb2
from tui import text
from tui.words import SIDES, UNKNOWN

if TYPE_CHECKING:
    from autotrader.v1 import common_pb2

MODES = {
    engine_pb2.TRADING_MODE_SIMULATED: "SIMULATED  paper money on a simulated market",
    engine_pb2.TRADING_MODE_PAPER: "PAPER  paper money on real prices",
    engine_pb2.TRADING_MODE_LIVE: "LIVE  REAL MONEY",
    engine_pb2.TRADING_MODE_REPLAY: "REPLAY  paper money on stored candles",
}


def vote_words(side: int, percent: str | float) -> str:
    """An outcome or a vote with how sure it is."""
    return f"{SIDES.get(side, UNKNOWN).word} {float(percent or 0):.0f} %"  # type: ignore[call-overload]


def votes_words(votes: "Iterable[common_pb2.Vote]") -> str:
    """Who voted for what."""
    return ", ".join(f"{vote.strategy} {vote_words(vote.side, vote.confidence_percent)}" for vote in votes)


def profit_words(quote: str, percent: str) -> str:
    """A gain or loss in money and in percent."""
    return f"{text.signed(quote)} ({text.signed(percent)} %)"


def used_words(used: str) -> str:
    """How much of a limit is used, to two places where it is no whole number."""
    found = text.decimal(used)
    return text.number(used, 2 if found is not None and found % 1 else None)
