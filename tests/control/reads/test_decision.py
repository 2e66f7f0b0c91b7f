"""One decision: its votes with their reasons, who was silent, what risk said, the order and its fills."""

import json

from actors.persistence import tables
from autotrader.v1 import common_pb2, decision_pb2
from control.rows import milliseconds, timestamp
from tests.control.reads.conftest import Client, Row, Stored


async def explained(client: Client, row: Row) -> decision_pb2.Decision:
    """The decision of a row."""
    request = decision_pb2.GetDecisionRequest(symbol=row["symbol"], open_time=timestamp(row["open_time"]))
    return (await client.decisions.GetDecision(request)).decision


async def test_each_approved_decision_has_its_order_and_the_order_its_fills(
    stored: Stored, client: Client
) -> None:
    fills = {row["order_id"] for row in stored.rows(tables.fills)}
    approved = [row for row in stored.rows(tables.decisions) if row["verdict"] == "approved"]
    assert len(approved) > 40
    for row in approved:
        found = await explained(client, row)
        assert found.order.id == row["order_id"]
        assert bool(found.order.fills) == (row["order_id"] in fills)
        assert found.kind == decision_pb2.DECISION_KIND_APPROVED
        assert found.explanation.endswith(f"approved, order {row['order_id']}")


async def test_each_refused_decision_says_what_risk_said(stored: Stored, client: Client) -> None:
    refused = [row for row in stored.rows(tables.decisions) if row["verdict"] == "refused"]
    assert {row["refusal"] for row in refused} >= {"paused", "killed", "daily_loss", "cooldown"}
    for row in refused:
        found = await explained(client, row)
        assert (found.refusal, found.refusal_detail) == (row["refusal"], row["detail"])
        assert found.outcome == common_pb2.SIDE_BUY
        assert not found.HasField("order")
        assert found.explanation.startswith("BUY won with ")
        assert row["detail"] in found.explanation.partition(": refused, ")[2]


async def test_a_decision_of_which_somebody_was_late_names_them(stored: Stored, client: Client) -> None:
    signals = stored.rows(tables.signals, "open_time")
    late = next(row for row in signals if row["side"] is None)
    found = await explained(client, late)
    assert [(each.strategy, each.why) for each in found.absent] == [(late["strategy"], "late")]
    said = {row["strategy"]: row for row in signals if row["side"] and _same(row, late)}
    assert {vote.strategy: list(vote.reasons) for vote in found.votes} == {
        name: _reasons(row) for name, row in said.items()
    }


async def test_a_decision_tells_the_time_of_its_candle(stored: Stored, client: Client) -> None:
    row = stored.rows(tables.decisions, "open_time")[-1]
    assert milliseconds((await explained(client, row)).open_time) == row["open_time"]


def _same(row: Row, other: Row) -> bool:
    return (row["symbol"], row["open_time"]) == (other["symbol"], other["open_time"])


def _reasons(row: Row) -> list[str]:
    return list(json.loads(row["reasons"] or "[]"))
