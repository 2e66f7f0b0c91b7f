"""`autotrader decisions` and `autotrader why`: why did it trade, why did it not?"""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command
from cli.options import LimitOption, SinceOption, SymbolsOption, UntilOption
from trading.errors import InputError

if TYPE_CHECKING:
    from autotrader.v1 import decision_pb2


@engine_command()
async def decisions(
    shell: Shell,
    symbols: SymbolsOption = None,
    approved: Annotated[bool, typer.Option("--approved", help="Only those with an order.")] = False,
    refused: Annotated[bool, typer.Option("--refused", help="Only entries that risk refused.")] = False,
    unchanged: Annotated[bool, typer.Option("--unchanged", help="Only those that changed nothing.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
) -> None:
    """List every vote's outcome and what came of it, the newest first."""
    from autotrader.v1 import decision_pb2
    from cli.filters import at_most_one, time_range
    from cli.output import print_table

    kinds = {
        "": decision_pb2.DECISION_KIND_UNSPECIFIED,
        "approved": decision_pb2.DECISION_KIND_APPROVED,
        "refused": decision_pb2.DECISION_KIND_REFUSED,
        "unchanged": decision_pb2.DECISION_KIND_UNCHANGED,
    }
    request = decision_pb2.ListDecisionsRequest(
        symbols=symbols,
        kind=kinds[at_most_one(approved=approved, refused=refused, unchanged=unchanged)],
        range=time_range(since, until),
    )
    answer = await shell.pages(shell.client.decisions.ListDecisions, request, "decisions", limit)
    if shell.as_json:
        shell.document(answer)
        return
    title = await shell.title("Decisions")
    print_table(title, ("candle", "symbol", "outcome", "in words"), map(_row, answer.decisions))
    shell.say_rest(answer, "decisions", limit)


@engine_command()
async def why(
    shell: Shell,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="BASE/QUOTE.")],
    candle: Annotated[
        str | None, typer.Argument(metavar="[CANDLE]", help="Its open time (UTC); the newest decision's.")
    ] = None,
) -> None:
    """Explain one decision: every vote with its reasons, what risk said, the order and its fills."""
    from autotrader.v1 import common_pb2, decision_pb2
    from cli.filters import moment

    if candle is None:
        newest = await shell.client.decisions.ListDecisions(
            decision_pb2.ListDecisionsRequest(symbols=[symbol], page=common_pb2.Page(size=1))
        )
        if not newest.decisions:
            raise InputError(f"SYMBOL: nothing was decided on {symbol!r} yet")
        open_time = newest.decisions[0].open_time
    else:
        open_time = moment(candle, "CANDLE")
    request = decision_pb2.GetDecisionRequest(symbol=symbol, open_time=open_time)
    answer = await shell.client.decisions.GetDecision(request)
    if shell.as_json:
        shell.document(answer)
        return
    for line in _lines(answer.decision):
        shell.say(line)


def _row(each: "decision_pb2.Decision") -> tuple[str, ...]:
    from cli.engine_words import vote_words
    from tui import text

    outcome = vote_words(each.outcome, each.score_percent)
    return text.moment(each.open_time), each.symbol, outcome, each.explanation


def _lines(decision: "decision_pb2.Decision") -> list[str]:
    from cli.engine_words import vote_words
    from tui import text

    outcome = vote_words(decision.outcome, decision.score_percent)
    lines = [
        f"{decision.symbol}, candle of {text.moment(decision.open_time)} UTC: {outcome} ({decision.why})",
        decision.explanation,
        "",
    ]
    for vote in decision.votes:
        said = vote_words(vote.side, vote.confidence_percent)
        lines.append(f"{vote.strategy} (weight {vote.weight}): {said}")
        lines += [f"  {reason}" for reason in vote.reasons]
    lines += [f"{each.strategy}: no vote ({each.why})" for each in decision.absent]
    if decision.refusal:
        lines.append(f"risk refused: {decision.refusal}; {decision.refusal_detail}")
    return lines + (_order_lines(decision) if decision.HasField("order") else [])


def _order_lines(decision: "decision_pb2.Decision") -> list[str]:
    from tui import text
    from tui.words import SIDES, UNKNOWN, order_amount, order_state, paid_words

    order = decision.order
    side, state = SIDES.get(order.side, UNKNOWN).word, order_state(order).word
    lines = [f"order {order.id}: {side} {order_amount(order)}, {order.kind}, {state}"]
    for fill in order.fills:
        amount, price = text.number(fill.amount_base), text.price(fill.price_quote)
        paid = paid_words(fill)
        fee = text.number(fill.fee_quote) + (f" ({paid})" if paid else "")
        lines.append(f"  filled {amount} at {price}, {text.moment(fill.time)} UTC, fee {fee}")
    return lines
