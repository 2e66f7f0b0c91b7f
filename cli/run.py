"""`autotrader run`: the engine on Ray, on a simulated market, an exchange, or stored candles."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.options import ConfigOption, VerboseOption
from trading.errors import InputError

if TYPE_CHECKING:
    from cli.config import LoadedSettings
    from cli.run_plans import Planned
    from trading.settings import Settings

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
    live: Annotated[bool, typer.Option("--live", help="Trade with money: also engine.mode = live.")] = False,
    yes_live: Annotated[bool, typer.Option("--yes-live", help="Trade with money, ask nothing.")] = False,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Run the engine until it is interrupted, or until a replay's last candle."""
    from actors.launch import ray_meanwhile
    from cli.inputs import free_folder

    if out is not None:
        free_folder(out)
    if replay:
        from cli.live_view import follow

        if live or yes_live:
            raise InputError("--live: stored candles are replayed without money; leave out --live")
        planned = _replay_planned(config, overrides or [], replay, speed, out or DEFAULT_REPLAY_FOLDER, force)
        with ray_meanwhile(address) as ray_ready:
            follow(planned, ray_ready)
        return
    loaded = engine_settings(config, overrides or [], live, yes_live)
    from actors.spawn import RayDied

    try:
        with ray_meanwhile(address) as ray_ready:
            from cli.live_view import follow
            from cli.run_plans import with_control
            from cli.stored_settings import stored_changes

            changed = stored_changes(loaded.settings.database.url)
            planned = engine_plan(loaded.settings, out, yes_live)
            follow(with_control(planned, loaded, changed), ray_ready)
    except RayDied as died:
        start_again(str(died), live)


def start_again(why: str, live: bool) -> NoReturn:
    """Become the same command anew, which goes on from what is stored.

    Who typed that money may be traded is not asked again by the same run.
    """
    arguments = sys.orig_argv[1:]
    if live and "--yes-live" not in arguments:
        arguments = [*arguments, "--yes-live"]
    print(f"{why}; it starts again from what is stored", file=sys.stderr, flush=True)
    os.execv(sys.executable, [sys.executable, *arguments])


def _replay_planned(
    config: Path | None, overrides: list[str], replay: list[str], speed: str, out: Path, force: bool
) -> "Planned":
    """The plan of a replay; with a control plane where it is slow enough to be looked at."""
    from cli.config import load_settings
    from cli.going_live import keep_keys
    from cli.run_plans import replay_plan, with_control

    loaded = load_settings(config, overrides)
    keep_keys()
    per_second = candles_per_second(speed)
    planned = replay_plan(loaded.settings, replay, out, per_second, force)
    return planned if per_second is None else with_control(planned, loaded, {})


def engine_settings(
    config: Path | None, overrides: list[str], live: bool, yes_live: bool
) -> "LoadedSettings":
    """The settings of an engine; raises InputError for what does not go together."""
    from cli import going_live
    from cli.stored_settings import load_with_changes

    loaded = load_with_changes(config, overrides)
    settings = loaded.settings
    going_live.require_both(settings, live)
    if yes_live and not live:
        raise InputError("--yes-live without --live: it only answers what --live asks")
    if settings.feed.source == "replay":
        raise InputError(
            "feed.source: 'replay' is started by `autotrader run --replay SYMBOL=FILE`; allowed: simulated, "
            "exchange"
        )
    if live:
        going_live.require_answerable(yes_live)
        going_live.require_keys(settings)
        going_live.hand_over_keys(settings)
    else:
        going_live.keep_keys()
    return loaded


def engine_plan(settings: "Settings", out: Path | None, yes_live: bool) -> "Planned":
    """What the settings ask for: a simulated market, an exchange's prices, or trading with money."""
    if settings.engine.mode == "live":
        from cli.live_plan import live_plan

        return live_plan(settings, out, yes_live)
    if settings.feed.source == "exchange":
        from cli.exchange_plans import paper_exchange_plan

        return paper_exchange_plan(settings, out)
    from cli.run_plans import paper_plan

    return paper_plan(settings, out)


def candles_per_second(speed: str) -> float | None:
    """The speed of a replay; None is as fast as it goes. Raises InputError otherwise."""
    if speed == "max":
        return None
    try:
        number = float(speed)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise InputError(f"--speed: {speed!r} is not 'max' or a number over 0")
    return number
