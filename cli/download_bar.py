"""What a download shows while it goes on, all on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def download_bar(verbose: bool) -> Iterator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """A bar that is told (what, done, total), with rate and time left, and a line for every wait.

    Both are only for people; with `verbose` the lines are always shown.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        def say(text: str) -> None:
            if verbose or console.is_terminal:
                console.print(text, markup=False, soft_wrap=True)

        yield progress, say
