"""Why? A decision in full: every vote with its reasons, what risk said, the order, the fills."""

from textual.content import Content

from autotrader.v1 import common_pb2, decision_pb2, portfolio_pb2
from tui import text
from tui.paint import paint, pieces
from tui.words import DECISION_KINDS, SIDES, UNKNOWN, order_amount, order_state, paid_words

BAR_WIDTH = 16


def why(decision: decision_pb2.Decision) -> Content:
    """A decision from its votes to its fills."""
    parts = [_head(decision), _votes(decision), _risk(decision)]
    if decision.HasField("order"):
        parts.append(order_text(decision.order))
    return Content("\n\n").join(part for part in parts if part)


def _head(decision: decision_pb2.Decision) -> Content:
    side, kind = SIDES.get(decision.outcome, UNKNOWN), DECISION_KINDS.get(decision.kind, UNKNOWN)
    line = pieces(
        (str(side), side.tone),
        (f"  score {decision.score_percent:.1f}  {text.readable(decision.why)}", ""),
        ("   came of it: ", "dim"),
        (str(kind), kind.tone),
    )
    return line + Content("\n") + paint(decision.explanation or text.NONE, "strong")


def _votes(decision: decision_pb2.Decision) -> Content:
    lines = [paint("Votes", "accent")]
    for vote in decision.votes:
        lines += vote_lines(vote)
    lines += [
        pieces((f"- {absent.strategy}: ", ""), (f"no vote, {absent.why}", "warn"))
        for absent in decision.absent
    ]
    if len(lines) == 1:
        lines.append(paint("nobody voted", "dim"))
    return Content("\n").join(lines)


def vote_lines(vote: common_pb2.Vote) -> list[Content]:
    """A vote in a line, and each of its reasons below."""
    side = SIDES.get(vote.side, UNKNOWN)
    confidence = text.decimal(vote.confidence_percent) or 0
    head = pieces(
        (f"{side.symbol} {side.word:<4} ", side.tone),
        (f"{text.bar(float(confidence) / 100, BAR_WIDTH)} {confidence:>3.0f} ", side.tone),
        (f" {vote.strategy}", "strong"),
        (f"  weight {text.number(vote.weight)}", "dim"),
    )
    return [head, *(pieces(("        · ", "dim"), (reason, "")) for reason in vote.reasons)]


def _risk(decision: decision_pb2.Decision) -> Content:
    if decision.kind == decision_pb2.DECISION_KIND_REFUSED:
        said = pieces(
            ("refused: ", "bad"),
            (text.readable(decision.refusal), "strong"),
            (f"; {decision.refusal_detail}", ""),
        )
    elif decision.kind == decision_pb2.DECISION_KIND_APPROVED:
        said = paint("approved", "good")
    else:
        said = paint("was not asked: the outcome changes nothing", "dim")
    return paint("Risk", "accent") + Content("\n") + said


def order_text(order: portfolio_pb2.Order) -> Content:
    """An order and its fills."""
    side, state = SIDES.get(order.side, UNKNOWN), order_state(order)
    lines = [
        paint("Order", "accent"),
        pieces(
            (str(side), side.tone),
            (f" {order_amount(order)} {order.symbol} {text.readable(order.kind)}", ""),
            (f", because of {text.readable(order.reason)}   ", "dim"),
            (str(state), state.tone),
        ),
        paint(f"{order.id}, decided {text.moment(order.decided_at)} UTC", "dim"),
    ]
    if order.trigger_quote:
        limit = f", not under {text.price(order.limit_quote)}" if order.limit_quote else ""
        lines.append(paint(f"active at {text.price(order.trigger_quote)}{limit}"))
    if order.exchange_order_id:
        lines.append(paint(f"the exchange's id: {order.exchange_order_id}", "dim"))
    if order.cancelling:
        lines.append(paint(f"cancelled because: {order.cancelling}", "warn"))
    if order.ended_why and order.ended_why != order.cancelling:
        lines.append(paint(f"ended: {order.ended_why}", "warn"))
    lines.append(paint("Fills" if order.fills else "no fill yet", "accent" if order.fills else "dim"))
    lines += [_fill(fill) for fill in order.fills]
    return Content("\n").join(lines)


def _fill(fill: portfolio_pb2.Fill) -> Content:
    words = f"{text.second(fill.time)} UTC  {text.number(fill.amount_base)} at {text.price(fill.price_quote)}"
    paid = paid_words(fill)
    worth = f"  = {text.number(fill.notional_quote, 2)}, fee {text.number(fill.fee_quote, 2)}"
    worth += f" ({paid})" if paid else ""
    return pieces((words, ""), (worth, "dim"))


def trade_text(trade: portfolio_pb2.Trade) -> Content:
    """A trade from entry to exit, and the votes that opened it."""
    won = text.decimal(trade.realized_profit_quote)
    tone = "good" if won and won > 0 else "bad"
    lines = [
        pieces(
            (f"{text.signed(trade.realized_profit_quote)}  ", tone),
            (f"{text.signed(trade.realized_profit_percent)} %", tone),
            (f"   {text.number(trade.amount_base)} {trade.symbol}", ""),
        ),
        _leg("entry", trade.entry_time, trade.entry_price_quote, trade.entry_fee_quote, trade.entry_order_id),
        _leg("exit ", trade.exit_time, trade.exit_price_quote, trade.exit_fee_quote, trade.exit_order_id),
        pieces(("exit by ", "dim"), (text.readable(trade.exit_reason), "")),
        Content(""),
        paint("Votes that opened it", "accent"),
    ]
    for vote in trade.votes:
        lines += vote_lines(vote)
    return Content("\n").join(lines)


def _leg(name: str, time: object, price: str, fee: str, order: str) -> Content:
    return pieces(
        (f"{name} ", "dim"),
        (f"{text.moment(time)} UTC at {text.price(price)}", ""),  # type: ignore[arg-type]
        (f", fee {text.number(fee, 2)}, order {order}", "dim"),
    )
