"""`autotrader positions`, `orders` and `trades`: what is held, was ordered and was earned."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command
from cli.options import LimitOption, SinceOption, SymbolsOption, UntilOption

if TYPE_CHECKING:
    from autotrader.v1 import portfolio_pb2

REASONS = ("signal", "stop", "take_profit", "kill_switch", "close_all")


@engine_command()
async def positions(shell: Shell) -> None:
    """List the open positions."""
    from autotrader.v1 import portfolio_pb2
    from cli.output import print_table

    answer = await shell.client.portfolio.ListPositions(portfolio_pb2.ListPositionsRequest())
    if shell.as_json:
        shell.document(answer)
        return
    if not answer.positions:
        shell.say("no position is open")
        return
    title = await shell.title("Open positions")
    columns = ("symbol", ">amount", ">entry", ">last", ">stop", ">target", ">result", ">%", "entered")
    print_table(title, columns, map(_position, answer.positions))


@engine_command()
async def orders(
    shell: Shell,
    symbols: SymbolsOption = None,
    states: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="open (all but final), partly_filled, unknown, filled, cancelled, refused or expired.",
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
) -> None:
    """List orders with their fills, the newest first."""
    from autotrader.v1 import portfolio_pb2
    from cli.filters import one_of, time_range
    from cli.output import print_table
    from tui.words import ALIVE, ORDER_STATES

    numbers: dict[str, tuple[portfolio_pb2.OrderState.ValueType, ...]]
    numbers = {word.word.replace(" ", "_"): (number,) for number, word in ORDER_STATES.items()}
    numbers["open"] = ALIVE
    chosen = [one_of("--state", state, tuple(numbers)) for state in states or ()]
    request = portfolio_pb2.ListOrdersRequest(
        symbols=symbols,
        states=sorted({number for state in chosen for number in numbers[state]}),
        range=time_range(since, until),
    )
    answer = await shell.pages(shell.client.portfolio.ListOrders, request, "orders", limit)
    if shell.as_json:
        shell.document(answer)
        return
    title = await shell.title("Orders")
    columns = ("decided", "symbol", "side", ">amount", ">price", "state", "why")
    print_table(title, columns, map(_order, answer.orders))
    shell.say_rest(answer, "orders", limit)


@engine_command()
async def trades(
    shell: Shell,
    symbols: SymbolsOption = None,
    won: Annotated[bool, typer.Option("--won", help="Only those that earned something.")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="Only those that did not.")] = False,
    reasons: Annotated[
        list[str] | None,
        typer.Option("--reason", metavar="REASON", help=f"Only these exits: {', '.join(REASONS)}."),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
) -> None:
    """List closed trades, the newest first."""
    from autotrader.v1 import portfolio_pb2
    from cli.filters import at_most_one, one_of, time_range
    from cli.output import print_table

    results = {
        "": portfolio_pb2.TRADE_RESULT_UNSPECIFIED,
        "won": portfolio_pb2.TRADE_RESULT_WON,
        "lost": portfolio_pb2.TRADE_RESULT_LOST,
    }
    request = portfolio_pb2.ListTradesRequest(
        symbols=symbols,
        range=time_range(since, until),
        result=results[at_most_one(won=won, lost=lost)],
        exit_reasons=[one_of("--reason", reason, REASONS) for reason in reasons or ()],
    )
    answer = await shell.pages(shell.client.portfolio.ListTrades, request, "trades", limit)
    if shell.as_json:
        shell.document(answer)
        return
    title = await shell.title("Closed trades")
    columns = ("exit", "symbol", ">amount", ">entry at", ">exit at", ">result", ">%", "by")
    print_table(title, columns, map(_trade, answer.trades))
    shell.say_rest(answer, "trades", limit)


def _position(each: "portfolio_pb2.Position") -> tuple[str, ...]:
    from tui import text
    from tui.words import protection_words

    entered = text.moment(each.entry_time) + (", closing" if each.closing else "")
    return (
        each.symbol,
        text.number(each.amount_base),
        text.price(each.entry_price_quote),
        text.price(each.last_price_quote),
        text.price(each.stop_quote),
        text.price(each.target_quote),
        text.signed(each.unrealized_profit_quote),
        text.signed(each.unrealized_profit_percent),
        "\n".join(filter(None, (entered, protection_words(each)))),
    )


def _order(each: "portfolio_pb2.Order") -> tuple[str, ...]:
    from tui import text
    from tui.words import SIDES, UNKNOWN, order_amount, order_price, order_state

    prices = ", ".join(text.price(fill.price_quote) for fill in each.fills)
    waits_for = "" if each.sizing_price_quote else order_price(each)
    why = each.ended_why or each.cancelling
    kind = "" if each.kind == "market" else text.readable(each.kind)
    return (
        text.moment(each.decided_at),
        each.symbol,
        f"{SIDES.get(each.side, UNKNOWN).word} {kind}".rstrip(),
        order_amount(each),
        prices or text.price(waits_for),
        order_state(each).word,
        f"{each.reason}{': ' if why else ''}{why}",
    )


def _trade(each: "portfolio_pb2.Trade") -> tuple[str, ...]:
    from tui import text

    return (
        text.moment(each.exit_time),
        each.symbol,
        text.number(each.amount_base),
        text.price(each.entry_price_quote),
        text.price(each.exit_price_quote),
        text.signed(each.realized_profit_quote),
        text.signed(each.realized_profit_percent),
        each.exit_reason,
    )
