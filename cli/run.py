"""`autotrader run`: the engine on Ray, paper trading on simulated candles or replaying stored ones."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, VerboseOption

DEFAULT_REPLAY_FOLDER = Path("replay")


def command(
    replay: Annotated[
        list[str] | None, typer.Option(metavar="SYMBOL=FILE", help="Replay stored candles; may be repeated.")
    ] = None,
    speed: Annotated[str, typer.Option(metavar="max|N", help="Candles per second of a replay.")] = "max",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Result files, and a replay's database.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Begin a replay anew, whatever --out holds.")] = False,
    address: Annotated[str | None, typer.Option(metavar="ADDR", help="A Ray cluster to run on.")] = None,
    live: Annotated[bool, typer.Option(help="Trade with money.")] = False,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Run the engine until it is interrupted, or until a replay's last candle."""
    from cli.inputs import free_folder
    from cli.live_view import follow
    from cli.run_plans import paper_plan, replay_plan
    from cli.stored_settings import load_with_changes
    from trading.errors import InputError

    if out is not None:
        free_folder(out)
    if replay:
        from cli.config import load_settings

        settings = load_settings(config, overrides or []).settings
        planned = replay_plan(settings, replay, out or DEFAULT_REPLAY_FOLDER, candles_per_second(speed), force)
    else:
        settings = load_with_changes(config, overrides or []).settings
        if live or settings.engine.mode == "live":
            raise InputError("engine.mode: 'live' is not there yet in this version; allowed: paper")
        planned = paper_plan(settings, out)
    follow(planned, address)


def candles_per_second(speed: str) -> float | None:
    """The speed of a replay; None is as fast as it goes. Raises InputError otherwise."""
    from trading.errors import InputError

    if speed == "max":
        return None
    try:
        number = float(speed)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise InputError(f"--speed: {speed!r} is not 'max' or a number over 0")
    return number
