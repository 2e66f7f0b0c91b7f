"""The figures of a run as a table that a person reads."""

from backtest.report.labels import GROUPS, figure_label, figure_unit, with_unit
from backtest.results import RunResult


def print_summary(result: RunResult, title: str) -> None:
    """Print the figures, grouped, with their units; what cannot be computed is a dash."""
    from rich import box
    from rich.table import Table

    from cli.output import console

    summary = result.summary()
    quote = result.rules.quote
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_column(justify="right")
    table.add_row("Range", "from the first open", str(summary["start"]))
    table.add_row("", "to the last close", str(summary["end"]))
    table.add_row("Equity", "initial capital", f"{summary['initial_capital']:,.2f} {quote}")
    table.add_row("", "final equity", f"{summary['final_equity']:,.2f} {quote}")
    for group, names in GROUPS:
        for place, name in enumerate(names):
            shown = with_unit(summary[name], figure_unit(name, quote))
            table.add_row("" if place else group, figure_label(name), shown)
    if result.records.open_positions:
        table.add_row("", "still open", ", ".join(result.records.open_positions))
    console().print(table)
