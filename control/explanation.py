"""One plain sentence about a decision: why it traded, or why it did not."""

import json
from collections.abc import Mapping
from typing import Any

_REFUSALS = {
    "paused": "paused {}",
    "killed": "the kill switch is thrown: {}",
    "daily_loss": "the day's loss limit holds {}",
    "stale": "the market data are stale: {}",
    "unreconciled": "the books are not reconciled: {}",
    "cooldown": "cooling down after a stop {}",
    "max_open_positions": "no room for another position: {}",
    "max_exposure": "too much exposure: {}",
    "max_orders_per_minute": "too many orders: {}",
    "min_notional": "too small: {}",
}
_UNCHANGED = {
    "BUY": "nothing to do, it is held or ordered already",
    "SELL": "nothing to do, nothing is held or it is being sold already",
    "HOLD": "nothing to do",
}
_HEADS = {
    "won": "{side} won with {score}{votes}",
    "no_votes": "no strategy had an opinion{votes}",
    "tie": "a tie at {score}{votes}",
    "under_threshold": "{score} is under the threshold{votes}",
    "no_quorum": "too few strategies answered for a quorum{votes}",
}


def explanation(row: Mapping[str, Any]) -> str:
    """The sentence for a row of `decisions`."""
    named = json.loads(row["votes"] or "[]")
    votes = ", ".join(_vote(each) for each in named)
    head = _HEADS[row["why"]].format(
        side=row["side"], score=_percent(row["score_percent"]), votes=f" ({votes})" if votes else ""
    )
    return f"{head}: {_consequence(row)}"


def _vote(vote: list[Any]) -> str:
    strategy, side, confidence = vote[:3]
    return f"{strategy} {side} {_percent(confidence / 1_000_000)}" if confidence else f"{strategy} no opinion"


def _percent(value: float) -> str:
    return f"{round(value, 2):g} %"


def _consequence(row: Mapping[str, Any]) -> str:
    if row["verdict"] == "approved":
        return f"approved, order {row['order_id']}"
    if row["verdict"] == "refused":
        return "refused, " + _REFUSALS[row["refusal"]].format(row["detail"] or "").rstrip(": ")
    return _UNCHANGED[row["side"]]
