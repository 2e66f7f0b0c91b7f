"""`autotrader strategies`: the voters and their types; on a running engine, what they say, and changes."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command, on_engine
from cli.options import ConfigOption, JsonOption, VerboseOption, default_group
from cli.remote import TargetOption, TlsCaOption, UserOption
from trading.errors import InputError

if TYPE_CHECKING:
    from autotrader.v1 import strategy_pb2

command = default_group("The voters: list them and their types, and change them while they run.", "list")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The strategy.")]


@command.command("list")
def list_(
    types: Annotated[bool, typer.Option("--types", help="The types that there are, not what runs.")] = False,
    config: ConfigOption = None,
    target: TargetOption = None,
    tls_ca: TlsCaOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> int | None:
    """List the strategies of the running engine; without one, the types and what is configured.

    This is done without a subcommand too.
    """
    from cli.configured_strategies import show_configured
    from cli.remote import EngineAway, engine_may_run

    if not types and engine_may_run(config, target, user):
        try:
            return on_engine(_show_live, config, target, tls_ca, user, as_json)
        except EngineAway:
            if target is not None:
                raise
    show_configured(config, as_json, only_types=types)
    return None


@command.command()
@engine_command()
async def enable(shell: Shell, name: NameArgument) -> None:
    """Let a strategy vote again, from the next candle on."""
    from autotrader.v1 import strategy_pb2

    await _update(shell, name, "enabled", strategy_pb2.StrategyChange(enabled=True))


@command.command()
@engine_command()
async def disable(shell: Shell, name: NameArgument) -> None:
    """Take a strategy's vote away, until it is enabled."""
    from autotrader.v1 import strategy_pb2

    await _update(shell, name, "enabled", strategy_pb2.StrategyChange(enabled=False))


@command.command()
@engine_command()
async def weight(
    shell: Shell,
    name: NameArgument,
    value: Annotated[str, typer.Argument(metavar="WEIGHT", help="A number of at least 0.")],
) -> None:
    """Give a strategy's vote another weight."""
    from autotrader.v1 import strategy_pb2

    await _update(shell, name, "weight", strategy_pb2.StrategyChange(weight=value))


@command.command()
@engine_command()
async def add(
    shell: Shell,
    name: NameArgument,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="One of `autotrader strategies --types`.")],
    weight: Annotated[str, typer.Option(metavar="WEIGHT", help="The weight of its vote [1].")] = "",
    params: Annotated[
        list[str] | None, typer.Option("--set", metavar="PARAM=VALUE", help="A parameter; may be repeated.")
    ] = None,
) -> None:
    """Start another strategy; it votes when it has warmed up."""
    from autotrader.v1 import strategy_pb2

    request = strategy_pb2.AddStrategyRequest(
        name=name, type=type_, weight=weight, params=dict(map(_param, params or ()))
    )
    shell.told(await shell.give(shell.client.strategies.AddStrategy, request))


@command.command()
@engine_command()
async def remove(shell: Shell, name: NameArgument) -> None:
    """Take a strategy away; positions that it voted for stay."""
    from autotrader.v1 import strategy_pb2

    request = strategy_pb2.RemoveStrategyRequest(name=name)
    shell.told(await shell.give(shell.client.strategies.RemoveStrategy, request))


async def _update(shell: Shell, name: str, path: str, change: "strategy_pb2.StrategyChange") -> None:
    from google.protobuf.field_mask_pb2 import FieldMask

    from autotrader.v1 import strategy_pb2

    request = strategy_pb2.UpdateStrategyRequest(
        name=name, change=change, update_mask=FieldMask(paths=[path])
    )
    shell.told(await shell.give(shell.client.strategies.UpdateStrategy, request))


def _param(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"--set: {text!r} is not PARAM=VALUE, such as fast=5")
    return name.strip(), value.strip()


async def _show_live(shell: Shell) -> None:
    from autotrader.v1 import strategy_pb2
    from cli.output import print_table

    answer = await shell.client.strategies.ListStrategies(strategy_pb2.ListStrategiesRequest())
    if shell.as_json:
        shell.document(answer)
        return
    title = await shell.title("Strategies")
    columns = ("name", "type", ">weight", "state", "latest votes", ">won", ">profit")
    print_table(title, columns, map(_live_row, answer.strategies))


def _live_row(each: "strategy_pb2.Strategy") -> tuple[str, ...]:
    from autotrader.v1 import engine_pb2
    from cli.engine_words import vote_words
    from tui import text
    from tui.words import HEALTHS, UNKNOWN

    votes = [
        f"{vote.symbol} {vote_words(vote.vote.side, vote.vote.confidence_percent)}"
        for vote in each.latest_votes
    ]
    well = each.health == engine_pb2.HEALTH_OK
    states = ["votes" if each.enabled else "disabled"]
    states += [] if well else [HEALTHS.get(each.health, UNKNOWN).word]
    states += [each.note] if each.note else []
    return (
        each.name,
        each.type,
        each.weight,
        ", ".join(states),
        "\n".join(votes) or text.NONE,
        f"{each.record.winners}/{each.record.trades}",
        text.signed(each.record.realized_profit_quote),
    )
