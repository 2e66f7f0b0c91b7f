"""`autotrader run`: the engine on Ray, paper trading on simulated candles or replaying stored ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, VerboseOption

if TYPE_CHECKING:
    from cli.config import LoadedSettings

DEFAULT_REPLAY_FOLDER = Path("replay")


def command(
    replay: Annotated[
        list[str] | None, typer.Option(metavar="SYMBOL=FILE", help="Replay stored candles; may be repeated.")
    ] = None,
    speed: Annotated[str, typer.Option(metavar="max|N", help="Candles per second of a replay.")] = "max",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Result files, and a replay's database.")
    ] = None,
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
    from actors.launch import ray_meanwhile
    from cli.inputs import free_folder

    if out is not None:
        free_folder(out)
    if replay:
        from cli.config import load_settings
        from cli.live_view import follow
        from cli.run_plans import replay_plan, with_control

        loaded = load_settings(config, overrides or [])
        per_second = candles_per_second(speed)
        planned = replay_plan(loaded.settings, replay, out or DEFAULT_REPLAY_FOLDER, per_second, force)
        if per_second is not None:
            planned = with_control(planned, loaded, {})
        with ray_meanwhile(address) as ray_ready:
            follow(planned, ray_ready)
        return
    loaded = paper_settings(config, overrides or [], live)
    with ray_meanwhile(address) as ray_ready:
        from cli.live_view import follow
        from cli.run_plans import paper_plan, with_control
        from cli.stored_settings import stored_changes

        settings = loaded.settings
        changed = stored_changes(settings.database.url)
        follow(with_control(paper_plan(settings, out), loaded, changed), ray_ready)


def paper_settings(config: Path | None, overrides: list[str], live: bool) -> "LoadedSettings":
    """The settings of paper trading; raises InputError for what this version does not have."""
    from cli.stored_settings import load_with_changes
    from trading.errors import InputError

    loaded = load_with_changes(config, overrides)
    settings = loaded.settings
    if live or settings.engine.mode == "live":
        raise InputError("engine.mode: 'live' is not there yet in this version; allowed: paper")
    if settings.feed.source != "simulated":
        raise InputError(
            f"feed.source: {settings.feed.source!r} is not there yet in this version; allowed: simulated "
            "(and `run --replay SYMBOL=FILE` for stored candles)"
        )
    return loaded


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
