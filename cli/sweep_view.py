"""How a sweep looks while it runs, and what it found."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backtest.sweep.plan import SweepPlan
    from backtest.sweep.progress import Progress
    from backtest.sweep.sweep import Sweep

# Beside the objective, in the table of the best.
_SHOWN = ("sharpe", "total_return_percent", "max_drawdown_percent", "trades")


@contextmanager
def sweep_progress(plan: "SweepPlan") -> "Iterator[Callable[[Progress], None]]":
    """A bar on stderr with rate and time left; nothing is shown where nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    from backtest.sweep.progress import in_words

    console = Console(stderr=True)
    words = (TextColumn("{task.description}"), TextColumn("{task.fields[said]}"))
    columns = (words[0], BarColumn(), MofNCompleteColumn(), words[1])
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("sweep", total=plan.all_trials, said="starting")

        def tell(progress: "Progress") -> None:
            title = f"window {progress.passing}/{len(plan.windows)}" if progress.passing else "sweep"
            if progress.permuted:
                title = f"permuted candles {progress.permuted}/{plan.permutations}"
            said = in_words(progress, plan.objective.name)
            bar.update(task, completed=progress.done, description=title, said=said)

        yield tell


@contextmanager
def cancelled_by_ctrl_c(sweep: "Sweep") -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets the sweep store what is done; a second one ends it at once."""

    def cancel(_signal: int, _frame: object) -> None:
        sweep.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_sweep(summary: Mapping[str, Any]) -> None:
    """Print what a sweep found: the verdict, the best trials, the walk-forward, what failed."""
    luck = summary["luck"]
    if luck:
        print(luck["sentence"])
        print(luck["advice"])
    _print_top(summary)
    if summary["walk_forward"]:
        _print_walk_forward(summary["walk_forward"], summary["objective"])
    for kind in summary["errors"]:
        print(f"{kind['trials']:,} failed, such as trial {kind['first_trial']}: {kind['error']}")


def _print_top(summary: Mapping[str, Any]) -> None:
    from cli.output import print_table

    made, objective = summary["trials"], summary["objective"]
    least = "least" if summary["minimised"] else "most"
    title = f"{made['made']:,} trials, {made['failed']:,} failed; the best by {objective} ({least} first)"
    if not summary["top"]:
        print(f"{title}: none, since no trial has this figure (no trades, or too few days)")
        return
    figures = [objective, *(name for name in _SHOWN if name != objective)]
    keys = list(summary["top"][0]["params"])
    rows = [
        (
            each["trial"],
            *map(_text, each["params"].values()),
            *(_text(each["figures"][name]) for name in figures),
        )
        for each in summary["top"]
    ]
    columns = (">trial", *(f">{key}" for key in keys), *(f">{_label(name)}" for name in figures))
    print_table(title, columns, rows)


def _print_walk_forward(walk: Mapping[str, Any], objective: str) -> None:
    from cli.output import print_table

    rows = [
        (
            each["window"],
            f"{each['out_of_sample_from'][:10]} to {each['out_of_sample_to'][:10]}",
            ", ".join(f"{key} {_text(value)}" for key, value in each["params"].items()),
            _text(each[f"in_sample_{objective}"]),
            _text(each[f"out_of_sample_{objective}"]),
            _text(each["out_of_sample_total_return_percent"]),
        )
        for each in walk["windows"]
    ]
    columns = (">window", "traded", "chosen before", f">{_label(objective)} in", ">out", ">return % out")
    print_table("Walk-forward: chosen in each window, traded after it", columns, rows)
    outside = walk["out_of_sample"]
    if outside:
        names = ("total_return_percent", "max_drawdown_percent", "sharpe")
        said = ", ".join(f"{_label(name)} {_text(outside[name])}" for name in names)
        print(f"All windows traded as one: {said}; efficiency % {_text(walk['efficiency_percent'])}")


def _label(name: str) -> str:
    return name.removeprefix("total_").replace("max_", "").replace("_percent", " %").replace("_", " ")


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return str(value)
