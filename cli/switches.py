"""`autotrader pause`, `resume`, `close`, `close-all`: entries off and on, positions away."""

from typing import Annotated

import typer

from cli.engine_command import Danger, Shell, engine_command


@engine_command()
async def pause(shell: Shell) -> None:
    """Take no entries; exits and stops go on."""
    from autotrader.v1 import engine_pb2

    shell.told(await shell.give(shell.client.engine.Pause, engine_pb2.PauseRequest()))


@engine_command()
async def resume(shell: Shell) -> None:
    """Take entries again."""
    from autotrader.v1 import engine_pb2

    shell.told(await shell.give(shell.client.engine.Resume, engine_pb2.ResumeRequest()))


@engine_command(Danger("close", "sells this position at market"))
async def close(
    shell: Shell,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="BASE/QUOTE.")],
) -> None:
    """Cancel waiting entries of a symbol, and sell its position at market."""
    from autotrader.v1 import engine_pb2

    request = engine_pb2.ClosePositionRequest(symbol=symbol)
    shell.told(await shell.give(shell.client.engine.ClosePosition, request))


@engine_command(Danger("close-all", "sells every position at market; entries go on"))
async def close_all(shell: Shell) -> None:
    """Cancel waiting entries, and sell every position at market; entries go on unless paused."""
    from autotrader.v1 import engine_pb2

    shell.told(await shell.give(shell.client.engine.CloseAll, engine_pb2.CloseAllRequest()))
