"""Rows of the tables as messages of the contract: the one home of that conversion.

A row is what `actors.persistence.rows` makes or what a table gives: times in ms, money Decimal.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from autotrader.v1 import common_pb2, decision_pb2, log_pb2, market_pb2, portfolio_pb2
from control.explanation import explanation

Row = Mapping[str, Any]
Reasons = Mapping[tuple[str, int], Sequence[str]]

SIDES = {
    "BUY": common_pb2.SIDE_BUY,
    "SELL": common_pb2.SIDE_SELL,
    "HOLD": common_pb2.SIDE_HOLD,
}
ORDER_STATES = {
    "waiting": portfolio_pb2.ORDER_STATE_OPEN,
    "open": portfolio_pb2.ORDER_STATE_OPEN,
    "partly_filled": portfolio_pb2.ORDER_STATE_PARTLY_FILLED,
    "unknown": portfolio_pb2.ORDER_STATE_UNKNOWN,
    "filled": portfolio_pb2.ORDER_STATE_FILLED,
    "cancelled": portfolio_pb2.ORDER_STATE_CANCELLED,
    "refused": portfolio_pb2.ORDER_STATE_REFUSED,
    "expired": portfolio_pb2.ORDER_STATE_EXPIRED,
}
KINDS = {
    None: decision_pb2.DECISION_KIND_UNCHANGED,
    "approved": decision_pb2.DECISION_KIND_APPROVED,
    "refused": decision_pb2.DECISION_KIND_REFUSED,
}
LEVELS = {
    "info": log_pb2.LOG_LEVEL_INFO,
    "warning": log_pb2.LOG_LEVEL_WARNING,
    "alarm": log_pb2.LOG_LEVEL_ALARM,
}

_MILLIONTH = Decimal("0.000001")


def decimal_text(value: Decimal | None) -> str:
    """A decimal as the wire has it: exact, no exponent, no idle zeros, no minus zero; None is ""."""
    if value is None:
        return ""
    text = format(value if value else abs(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def millionths_text(count: int) -> str:
    """Millionths as a decimal without idle zeros: 1500000 is "1.5"."""
    whole, part = divmod(abs(count), 1_000_000)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if count < 0 else text


def percent_text(part: Decimal, whole: Decimal) -> str:
    """`part` in percent of `whole`, rounded to six places; "" of nothing."""
    if not whole:
        return ""
    return decimal_text((100 * part / whole).quantize(_MILLIONTH))


def timestamp(time_ms: int) -> Timestamp:
    """Milliseconds since 1970 as a Timestamp."""
    seconds, part = divmod(time_ms, 1000)
    return Timestamp(seconds=seconds, nanos=part * 1_000_000)


def milliseconds(moment: Timestamp) -> int:
    """The first whole millisecond since 1970 that is not before the moment."""
    return moment.seconds * 1000 - -moment.nanos // 1_000_000


def vote_messages(votes_json: str | None, reasons: Reasons | None = None) -> list[common_pb2.Vote]:
    """The votes of a row's `votes`; `reasons`, by strategy and open time, for those stored without."""
    found = reasons or {}
    return [
        common_pb2.Vote(
            strategy=strategy,
            side=SIDES[side],
            confidence_percent=millionths_text(confidence),
            weight=millionths_text(weight),
            open_time=timestamp(open_time_ms),
            reasons=more[0] if more else found.get((strategy, open_time_ms), ()),
        )
        for strategy, side, confidence, weight, open_time_ms, *more in json.loads(votes_json or "[]")
    ]


def fill_message(row: Row) -> portfolio_pb2.Fill:
    """A row of `fills`."""
    return portfolio_pb2.Fill(
        id=row["id"],
        order_id=row["order_id"],
        symbol=row["symbol"],
        side=SIDES[row["side"]],
        amount_base=decimal_text(row["amount"]),
        price_quote=decimal_text(row["price"]),
        notional_quote=decimal_text(row["notional"]),
        fee_quote=decimal_text(row["fee"]),
        time=timestamp(row["time"]),
        reason=row["reason"],
        fee_currency=row["fee_currency"] or "",
        fee_paid=decimal_text(row["fee_paid"]),
    )


def order_message(row: Row, fills: Iterable[Row] = ()) -> portfolio_pb2.Order:
    """A row of `orders` with its rows of `fills`."""
    return portfolio_pb2.Order(
        id=row["id"],
        symbol=row["symbol"],
        side=SIDES[row["side"]],
        kind=row["kind"],
        amount_base=decimal_text(row["amount"]),
        reason=row["reason"],
        state=ORDER_STATES[row["state"]],
        decided_at=timestamp(row["decided_at"]),
        sizing_price_quote=decimal_text(row["sizing_price"]),
        ended_why=row["ended_why"] or "",
        fills=map(fill_message, fills),
        trigger_quote=decimal_text(row["trigger_price"]),
        limit_quote=decimal_text(row["limit_price"]),
        filled_base=decimal_text(row["filled"]),
        exchange_order_id=row["exchange_id"] or "",
        cancelling=row["cancelling"] or "",
    )


def trade_message(row: Row) -> portfolio_pb2.Trade:
    """A row of `trades`."""
    return portfolio_pb2.Trade(
        symbol=row["symbol"],
        amount_base=decimal_text(row["amount"]),
        entry_time=timestamp(row["entry_time"]),
        entry_price_quote=decimal_text(row["entry_price"]),
        entry_fee_quote=decimal_text(row["entry_fee"]),
        entry_order_id=row["entry_order_id"],
        exit_time=timestamp(row["exit_time"]),
        exit_price_quote=decimal_text(row["exit_price"]),
        exit_fee_quote=decimal_text(row["exit_fee"]),
        exit_order_id=row["exit_order_id"],
        exit_reason=row["exit_reason"],
        realized_profit_quote=decimal_text(row["realized_profit"]),
        realized_profit_percent=percent_text(row["realized_profit"], row["entry_notional"]),
        votes=vote_messages(row["votes"]),
    )


def decision_message(
    row: Row,
    absent: Iterable[Row] = (),
    order: portfolio_pb2.Order | None = None,
    reasons: Reasons | None = None,
) -> decision_pb2.Decision:
    """A row of `decisions`, with the rows of `signals` of those who gave none (`side` is None), its
    order where it is wanted, and the votes' reasons by strategy and open time: they stand in `signals`.
    """
    return decision_pb2.Decision(
        symbol=row["symbol"],
        open_time=timestamp(row["open_time"]),
        outcome=SIDES[row["side"]],
        why=row["why"],
        score_percent=row["score_percent"],
        votes=vote_messages(row["votes"], reasons),
        kind=KINDS[row["verdict"]],
        refusal=row["refusal"] or "",
        refusal_detail=row["detail"] or "",
        order=order,
        absent=map(absent_message, absent),
        explanation=explanation(row),
    )


def absent_message(row: Row) -> decision_pb2.AbsentStrategy:
    """A row of `signals` without a side."""
    return decision_pb2.AbsentStrategy(
        strategy=row["strategy"], why="; ".join(json.loads(row["reasons"] or "[]"))
    )


def candle_message(row: Row) -> market_pb2.Candle:
    """A row of `candles`."""
    return market_pb2.Candle(
        symbol=row["symbol"],
        open_time=timestamp(row["open_time"]),
        open_quote=decimal_text(row["open"]),
        high_quote=decimal_text(row["high"]),
        low_quote=decimal_text(row["low"]),
        close_quote=decimal_text(row["close"]),
        volume_base=row["volume"],
        filled=row["filled"],
    )


def log_message(row: Row) -> log_pb2.LogEntry:
    """A row of `system_log`; one that is not stored yet has no `id`, which is 0 then."""
    return log_pb2.LogEntry(
        id=row.get("id", 0),
        time=timestamp(row["time"]),
        level=LEVELS[row["level"]],
        source=row["source"],
        code=row["code"],
        text=row["text"],
    )


def equity_message(row: Row) -> portfolio_pb2.EquityPoint:
    """A row of `actors.persistence.curve`."""
    return portfolio_pb2.EquityPoint(
        open_time=timestamp(row["open_time"]),
        equity_quote=decimal_text(row["equity"]),
        lowest_equity_quote=decimal_text(row["lowest"]),
        highest_equity_quote=decimal_text(row["highest"]),
    )


def daily_message(row: Row) -> portfolio_pb2.DailyStatistics:
    """A row of `daily_stats`."""
    return portfolio_pb2.DailyStatistics(
        day=row["day"].isoformat(),
        trades=row["trades"],
        winners=row["winners"],
        losers=row["losers"],
        result_quote=decimal_text(row["result_quote"]),
        base_quote=decimal_text(row["base"]),
        equity_quote=decimal_text(row["equity"]),
        max_drawdown_percent=row["max_drawdown_percent"],
        sharpe=row["sharpe"],
    )
