"""The equity curve: of each bucket the last value, the lowest and the highest, exact, at most so many."""

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.persistence import tables
from autotrader.v1 import portfolio_pb2
from control.rows import decimal_text, milliseconds
from tests.control.reads.conftest import CANDLES, Client, Stored
from tests.control.reads.test_filters import SPANS, Span, inside, range_of, tried
from tests.support.runs import HOUR_MS


def facts(point: portfolio_pb2.EquityPoint) -> tuple[Any, ...]:
    """A point as a tuple."""
    return (
        milliseconds(point.open_time),
        point.equity_quote,
        point.lowest_equity_quote,
        point.highest_equity_quote,
    )


@tried
@given(SPANS, st.integers(2, 400))
async def test_curve_in_few_points_keeps_the_last_the_lowest_and_the_highest(
    stored: Stored, client: Client, span: Span, points: int
) -> None:
    request = portfolio_pb2.GetEquityCurveRequest(range=range_of(span), points=points)
    found = (await client.portfolio.GetEquityCurve(request)).points
    rows = [row for row in stored.rows(tables.equity, "open_time") if inside(row["open_time"], span)]
    wanted = []
    width = -(-len(rows) // points) * HOUR_MS
    for _, group in groupby(rows, lambda row: (row["open_time"] - rows[0]["open_time"]) // width):
        bucket = list(group)
        values = [row["equity"] for row in bucket]
        texts = map(decimal_text, (values[-1], min(values), max(values)))
        wanted.append((bucket[-1]["open_time"], *texts))
    assert list(map(facts, found)) == wanted
    assert len(found) <= points


async def test_curve_without_points_has_every_candle_of_a_short_run(stored: Stored, client: Client) -> None:
    found = (await client.portfolio.GetEquityCurve(portfolio_pb2.GetEquityCurveRequest())).points
    assert len(found) == CANDLES
    assert all(each.equity_quote == each.lowest_equity_quote == each.highest_equity_quote for each in found)


@pytest.mark.parametrize("points", [2, 5000])
async def test_curve_of_the_whole_run_ends_with_the_newest_close(
    stored: Stored, client: Client, points: int
) -> None:
    found = (await client.portfolio.GetEquityCurve(portfolio_pb2.GetEquityCurveRequest(points=points))).points
    newest = stored.rows(tables.equity, "open_time")[-1]
    assert milliseconds(found[-1].open_time) == newest["open_time"]
    assert found[-1].equity_quote == decimal_text(newest["equity"])
