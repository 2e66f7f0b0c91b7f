"""`autotrader sweep`: many simulations on Ray, the best of them, and how much of it is luck."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import (
    ConfigOption,
    DataOption,
    FromOption,
    JsonOption,
    OutOption,
    ToOption,
    VerboseOption,
)

if TYPE_CHECKING:
    from backtest.sweep.plan import SweepPlan
    from backtest.sweep.sweep import SweepResult


def command(
    data: DataOption,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=SPEC",
            help="What to sweep: 5:50:5 (50 included), A,B,C or LOW..HIGH; one value is a setting of all "
            "trials. KEY is STRATEGY.PARAM or a setting; may be repeated.",
        ),
    ] = None,
    method: Annotated[str, typer.Option(metavar="METHOD", help="grid, random or bayes.")] = "grid",
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="How many, for random and bayes [100].")
    ] = None,
    objective: Annotated[
        str,
        typer.Option(metavar="METRIC", help="The figure that ranks trials; risk and costs are minimised."),
    ] = "sharpe",
    walk_forward: Annotated[
        int, typer.Option(metavar="N", min=0, help="Choose in each of N windows, and trade after it.")
    ] = 0,
    anchored: Annotated[bool, typer.Option(help="Every window begins where the first one does.")] = False,
    permutations: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Sweep over N random orders of the candles too (99, say), to see what luck finds.",
        ),
    ] = 0,
    from_: FromOption = None,
    to: ToOption = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of everything that chance decides.")] = 1,
    max_trials: Annotated[
        int, typer.Option(metavar="N", min=1, help="More trials than this are refused.")
    ] = 1_000_000,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes [the CPUs of the cluster].")
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="ADDR", help="A Ray cluster to run on: auto, HOST:PORT or ray://...")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the sweep in --out.")] = False,
    out: OutOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Simulate many settings on stored candles, and rank them.

    Ctrl-C keeps what is done in --out, and --resume goes on with it.
    """
    from backtest.sweep.plan import make_plan
    from backtest.sweep.specs import split_specs
    from cli.config import load_settings
    from cli.inputs import free_folder, open_times, symbol_files
    from trading.errors import InputError
    from trading.history import load_histories

    if resume and out is None:
        raise InputError("--resume: needs --out, the folder of the sweep to go on with")
    if anchored and not walk_forward:
        raise InputError("--anchored: is for --walk-forward N")
    fixed, swept = split_specs(overrides or [])
    settings = load_settings(config, fixed).settings
    files = symbol_files(data, "--data")
    from_ms, to_ms = open_times(from_, to)
    if out is not None:
        free_folder(out)
    plan = make_plan(
        settings,
        swept,
        load_histories(files, settings.market),
        from_ms=from_ms,
        to_ms=to_ms,
        method=method,
        trials=trials,
        objective=objective,
        seed=seed,
        walk_forward=walk_forward,
        anchored=anchored,
        permutations=permutations,
        max_trials=max_trials,
    )
    result = _swept(plan, out, resume, workers, address)
    if as_json:
        from backtest.results import to_json

        print(to_json(result.summary).decode(), end="")
        return
    from cli.sweep_view import print_sweep

    print_sweep(result.summary)
    if result.was_finished:
        print("This sweep was finished before; nothing was left to do.")
    if out is not None:
        print(f"Results are in {out}")


def _swept(
    plan: "SweepPlan", out: Path | None, resume: bool, workers: int | None, address: str | None
) -> "SweepResult":
    """Run the sweep on Ray; Ctrl-C ends it with what is done, and exit code 130."""
    from actors import spawn
    from backtest.sweep.signals import shared_bytes
    from backtest.sweep.store import check_folder
    from backtest.sweep.sweep import Sweep, SweepCancelled
    from cli.sweep_view import cancelled_by_ctrl_c, sweep_progress
    from trading.settings_file import settings_file

    if out is not None and check_folder(out, plan, resume):
        return Sweep(plan, out=out, resume=resume).run()
    spawn.start_ray(address, object_store_bytes=spawn.OBJECT_STORE_BYTES + shared_bytes(plan))
    try:
        with sweep_progress(plan) as tell:
            sweep = Sweep(
                plan, out=out, resume=resume, workers=workers, on_progress=tell, to_toml=settings_file
            )
            with cancelled_by_ctrl_c(sweep):
                return sweep.run()
    except SweepCancelled as stop:
        kept = (
            f"the same command with --resume goes on (in {out})" if out else "without --out nothing is kept"
        )
        print(f"{stop}; {kept}", file=sys.stderr)
        raise typer.Exit(130) from None
    finally:
        spawn.stop_ray()
